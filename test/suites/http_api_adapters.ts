/** Cases of the HTTP API: build tools. */
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { digestHex, digestOf, EMPTY_DIGEST } from "../../core/digest.ts";
import {
  ActionResultSchema,
  DirectorySchema,
  TreeSchema,
} from "../../server/adapters/generated/remote_execution_pb.ts";
import type { HttpCase, HttpFixture, HttpQuestion } from "./http_api.ts";
import { noise } from "./http_api_blobs.ts";

const ACTION = "ac".repeat(31) + "00";
const JSON_TYPE = { "content-type": "application/json" };
const ACCEPT_JSON = { accept: "application/json" };
const CCACHE_KEY = "0123456789".repeat(4);
const CCACHE_BAZEL = CCACHE_KEY + CCACHE_KEY.slice(0, 24);

type Result = MessageInitShape<typeof ActionResultSchema>;

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
function wire(bytes: Uint8Array) {
  return { hash: digestHex(digestOf(bytes)), sizeBytes: BigInt(bytes.length) };
}
function result(init: Result): Uint8Array<ArrayBuffer> {
  return new Uint8Array(toBinary(ActionResultSchema, create(ActionResultSchema, init)));
}
function cas(bytes: Uint8Array): string {
  return `/bazel/cas/${digestHex(digestOf(bytes))}`;
}
async function putBlob(server: HttpFixture, bytes: Uint8Array<ArrayBuffer>, q: HttpQuestion = {}) {
  const answer = await server.send("PUT", cas(bytes), { body: bytes, ...q });
  assert.equal(answer.status, 200, answer.text);
}
async function statusOf(server: HttpFixture, target: string, q: HttpQuestion = {}) {
  return (await server.send("GET", target, q)).status;
}

export const adapterCases: Readonly<Record<string, HttpCase>> = {
  "bazel: blobs both ways, whatever the instance; wrong hash is 400": async (server) => {
    const body = noise(400_000);
    await putBlob(server, body);
    const hex = digestHex(digestOf(body));
    for (const place of ["/cas/", "/some/instance/cas/", "/bazel/cas/", "/bazel/x/cas/"]) {
      const got = await server.send("GET", place + hex);
      assert.deepEqual(got.bytes, body, place);
      assert.equal(got.headers.get("content-length"), "400000");
      assert.equal(got.headers.get("content-encoding"), null);
      const head = await server.send("HEAD", place + hex);
      assert.deepEqual([head.status, head.headers.get("content-length")], [200, "400000"]);
    }
    assert.equal(await statusOf(server, cas(utf8("no"))), 404);
    const wrong = await server.send("PUT", cas(utf8("no")), { body: "yes" });
    assert.equal(wrong.status, 400);
    const chunked = utf8("no length");
    await putBlob(server, chunked, { chunked: true });
    const sized = await server.send("PUT", cas(chunked), {
      body: chunked,
      headers: { "x-digest-sizebytes": "8" },
    });
    assert.equal(sized.status, 400);
  },
  "bazel: the empty blob is always here": async (server) => {
    const target = `/cas/${digestHex(EMPTY_DIGEST)}`;
    const got = await server.send("GET", target);
    assert.deepEqual([got.status, got.headers.get("content-length")], [200, "0"]);
    assert.equal((await server.send("HEAD", target)).status, 200);
    assert.equal((await server.send("PUT", target, { body: "" })).status, 200);
    // What is here already may be answered before the body is looked at; it is never kept.
    const other = await server.send("PUT", target, { body: "x" });
    assert.ok([200, 400].includes(other.status), other.text);
    assert.equal((await server.send("GET", target)).text, "");
  },
  "bazel: zstd where it is asked for, and taken": async (server) => {
    const body = noise(300_000);
    const packed = new Uint8Array(zstdCompressSync(body));
    const headers = { "content-encoding": "zstd", "x-digest-sizebytes": "300000" };
    await putBlob(server, body, { body: packed, headers });
    const ask = (coding: string) =>
      server.send("GET", cas(body), { headers: { "accept-encoding": coding } });
    for (const coding of ["zstd", "zstd,gzip", "gzip, ZSTD;q=0.5"]) {
      const got = await ask(coding);
      assert.equal(got.headers.get("content-encoding"), "zstd", coding);
      assert.equal(got.headers.get("content-length"), null);
      assert.deepEqual(new Uint8Array(zstdDecompressSync(got.bytes)), body);
    }
    for (const coding of ["", "gzip", "zstd;q=0", "zstd; q=0.0", "xzstd", "zstd-x"]) {
      const got = await ask(coding);
      assert.equal(got.headers.get("content-encoding"), null, coding);
      assert.deepEqual(got.bytes, body);
    }
    const identity = { "content-encoding": "identity" };
    await putBlob(server, body, { headers: identity });
    const gzip = { "content-encoding": "gzip" };
    assert.equal((await server.send("PUT", cas(body), { body, headers: gzip })).status, 415);
  },
  "bazel: a result is served only while everything it names is here": async (server) => {
    const [file, out] = [utf8("file"), utf8("stdout")];
    const leaf = utf8("inside the tree");
    const tree = new Uint8Array(toBinary(
      TreeSchema,
      create(TreeSchema, {
        root: { directories: [{ name: "d", digest: { hash: "a".repeat(64), sizeBytes: 1n } }] },
        children: [{ files: [{ name: "f", digest: wire(leaf) }] }],
      }),
    ));
    const body = result({
      outputFiles: [{ path: "f", digest: wire(file) }],
      outputDirectories: [{ path: "d", treeDigest: wire(tree) }],
      stdoutDigest: wire(out),
      stderrRaw: utf8("inline"),
    });
    const target = `/bazel/ac/${ACTION}`;
    const put = () => server.send("PUT", target, { body });
    assert.equal((await put()).status, 200, "before its blobs");
    assert.equal(await statusOf(server, target), 404);
    for (const blob of [file, out, tree]) {
      await putBlob(server, blob);
      assert.equal(await statusOf(server, target), 404);
    }
    await putBlob(server, leaf);
    const late = await server.send("GET", target);
    assert.equal(late.status, 200, "the tree came after the result");
    assert.deepEqual(late.bytes, body);
    assert.equal((await put()).status, 200);
    const head = await server.send("HEAD", target);
    assert.deepEqual([head.status, head.headers.get("content-length")], [200, `${body.length}`]);
    const place = `/v1/blobs/${digestOf(leaf)}`;
    assert.equal((await server.send("DELETE", place, { as: "admin" })).status, 204);
    assert.equal(await statusOf(server, target), 404, "a file of the tree is gone");
    assert.equal((await server.send("HEAD", target)).status, 404);
  },
  "bazel: directories by their root digest are looked into as well": async (server) => {
    const leaf = utf8("deep");
    const inner = new Uint8Array(toBinary(
      DirectorySchema,
      create(DirectorySchema, {
        files: [{ name: "f", digest: wire(leaf) }],
      }),
    ));
    const root = new Uint8Array(toBinary(
      DirectorySchema,
      create(DirectorySchema, {
        directories: [{ name: "d", digest: wire(inner) }],
      }),
    ));
    for (const blob of [inner, root]) await putBlob(server, blob);
    const body = result({ outputDirectories: [{ path: "d", rootDirectoryDigest: wire(root) }] });
    await server.send("PUT", `/ac/${ACTION}`, { body });
    assert.equal(await statusOf(server, `/ac/${ACTION}`), 404);
    await putBlob(server, leaf);
    assert.equal(await statusOf(server, `/ac/${ACTION}`), 200);
  },
  "bazel: results belong to their instance": async (server) => {
    const body = result({ exitCode: 1 });
    await server.send("PUT", `/one/ac/${ACTION}`, { body });
    assert.equal(await statusOf(server, `/one/ac/${ACTION}`), 200);
    assert.equal(await statusOf(server, `/bazel/one/ac/${ACTION}`), 200);
    for (const other of ["", "/two", "/one/two", "/bazel"]) {
      assert.equal(await statusOf(server, `${other}/ac/${ACTION}`), 404, other);
    }
  },
  "bazel: what is no ActionResult is 400": async (server) => {
    const good = wire(utf8("x"));
    const bad: [string, Uint8Array<ArrayBuffer>][] = [
      ["empty", new Uint8Array(0)],
      ["noise", utf8("this is no protobuf message")],
      ["cut off", result({ stdoutRaw: utf8("hello") }).slice(0, -1)],
      ["absolute path", result({ outputFiles: [{ path: "/etc/passwd", digest: good }] })],
      ["empty path", result({ outputFiles: [{ path: "", digest: good }] })],
      ["no digest", result({ outputFiles: [{ path: "a" }] })],
      [
        "short hash",
        result({ outputFiles: [{ path: "a", digest: { hash: "ab", sizeBytes: 1n } }] }),
      ],
      ["upper case", result({ stdoutDigest: { hash: "A".repeat(64), sizeBytes: 1n } })],
      ["negative", result({ stdoutDigest: { hash: "a".repeat(64), sizeBytes: -1n } })],
      [
        "empty with size",
        result({ stdoutDigest: { hash: digestHex(EMPTY_DIGEST), sizeBytes: 1n } }),
      ],
      ["size without", result({ stdoutDigest: { hash: good.hash, sizeBytes: 0n } })],
      ["directory without", result({ outputDirectories: [{ path: "d" }] })],
      ["no target", result({ outputSymlinks: [{ path: "l", target: "" }] })],
    ];
    for (const [what, body] of bad) {
      const put = await server.send("PUT", `/ac/${ACTION}`, { body });
      assert.equal(put.status, 400, what);
      assert.equal(await statusOf(server, `/ac/${ACTION}`), 404, what);
    }
    for (const text of ["", "{", "[]", '"x"', '{"outputFiles":3}', '{"exitCode":"x"}']) {
      const put = await server.send("PUT", `/ac/${ACTION}`, { body: text, headers: JSON_TYPE });
      assert.equal(put.status, 400, text);
    }
    const fine: Result[] = [
      { exitCode: 1 },
      { stdoutRaw: utf8("only output") },
      { stdoutRaw: utf8("x"), stdoutDigest: { hash: "", sizeBytes: 0n } },
      { outputFiles: [{ path: "../up", digest: { hash: digestHex(EMPTY_DIGEST) } }] },
    ];
    for (const [n, init] of fine.entries()) {
      const put = await server.send("PUT", `/ac/${ACTION}`, { body: result(init) });
      assert.equal(put.status, 200, `${n}: ${put.text}`);
      assert.equal(await statusOf(server, `/ac/${ACTION}`), 200, `${n}`);
    }
  },
  "moon: a result in JSON can be read in both forms, and the other way round": async (server) => {
    const file = utf8("out");
    await putBlob(server, file);
    const made = create(ActionResultSchema, {
      outputFiles: [{ path: "f", digest: wire(file), isExecutable: true }],
      executionMetadata: { worker: "w", workerStartTimestamp: { seconds: 1n, nanos: 5_000_000 } },
      exitCode: 0,
    });
    const text = toJsonString(ActionResultSchema, made);
    const target = `/moon-outputs/ac/${ACTION}`;
    assert.equal(
      (await server.send("PUT", target, { body: text, headers: JSON_TYPE })).status,
      200,
    );
    const json = await server.send("GET", target, { headers: ACCEPT_JSON });
    assert.equal(json.headers.get("content-type"), "application/json");
    assert.deepEqual(JSON.parse(json.text), JSON.parse(text));
    assert.deepEqual((await server.send("GET", target)).bytes, result(made));
    const spelled = text.replace(/"1970-[^"]*"/, '{"seconds":"1","nanos":5000000}');
    assert.notEqual(spelled, text);
    await server.send("PUT", target, { body: spelled, headers: JSON_TYPE });
    assert.deepEqual((await server.send("GET", target)).bytes, result(made));
    await server.send("PUT", target, { body: result({ exitCode: 7 }) });
    const back = await server.send("GET", target, { headers: ACCEPT_JSON });
    assert.deepEqual(JSON.parse(back.text), { exitCode: 7 });
  },
  "bazel: fields that are not known are kept to the byte": async (server) => {
    const body = new Uint8Array([...result({ exitCode: 1 }), 0xfa, 0x3f, 2, 0x68, 0x69]);
    assert.equal((await server.send("PUT", `/ac/${ACTION}`, { body })).status, 200);
    assert.deepEqual((await server.send("GET", `/ac/${ACTION}`)).bytes, body);
  },
  "bazel: /status speaks bazel-remote's words": async (server) => {
    await putBlob(server, utf8("x"));
    for (const target of ["/status", "/bazel/status"]) {
      const status = JSON.parse((await server.send("GET", target)).text);
      assert.deepEqual(Object.keys(status).sort(), [
        "CurrSize",
        "GitCommit",
        "GitTags",
        "MaxSize",
        "NumFiles",
        "NumGoroutines",
        "ReservedSize",
        "ServerTime",
        "UncompressedSize",
      ]);
      assert.ok(status.NumFiles >= 1 && status.UncompressedSize >= 1);
    }
  },
  "ccache: three layouts, HEAD, overwrite, DELETE": async (server) => {
    const old = "ab1" + "v".repeat(30);
    const layouts = [
      `/${old}`,
      `/${old.slice(0, 2)}/${old.slice(2)}`,
      `/${CCACHE_KEY}`,
      `/01/${CCACHE_KEY.slice(2)}`,
      `/ac/${CCACHE_BAZEL}`,
      `/ccache/base/${CCACHE_KEY}`,
      // The subdirectory that looks like Bazel's action cache: one key in 1,024.
      `/ac/${old.slice(2)}`,
      `/ccache/ac/${old.slice(2)}`,
      `/ccache/ac/${CCACHE_KEY.slice(2)}`,
    ];
    const ccache = { headers: { "user-agent": "ccache/4.11.2", "accept-encoding": "" } };
    for (const target of layouts) {
      assert.equal((await server.send("HEAD", target, ccache)).status, 404, target);
      assert.equal((await server.send("PUT", target, { ...ccache, body: "one" })).status, 201);
      assert.equal((await server.send("PUT", target, { ...ccache, body: "second" })).status, 200);
      const head = await server.send("HEAD", target, ccache);
      assert.deepEqual([head.status, head.headers.get("content-length")], [200, "6"]);
      assert.equal((await server.send("GET", target, ccache)).text, "second");
      assert.equal((await server.send("DELETE", target, ccache)).status, 204);
      assert.equal((await server.send("DELETE", target, ccache)).status, 404);
      assert.equal((await server.send("GET", target, ccache)).status, 404);
    }
  },
  "ccache: an empty body is damage and never stored": async (server) => {
    for (const chunked of [false, true]) {
      const put = await server.send("PUT", `/${CCACHE_KEY}`, { body: "", chunked });
      assert.equal(put.status, 400);
      assert.equal(await statusOf(server, `/${CCACHE_KEY}`), 404);
    }
  },
  "ccache's bodies never reach a reader of ActionResults": async (server) => {
    const agent = { headers: { "user-agent": "ccache/4.11.2" } };
    // Even a body that is a valid ActionResult, under a key that only its sender tells apart.
    const body = result({ exitCode: 3 });
    assert.equal((await server.send("PUT", `/ac/${ACTION}`, { ...agent, body })).status, 201);
    assert.equal((await server.send("GET", `/ac/${ACTION}`, agent)).status, 200);
    assert.equal(await statusOf(server, `/ac/${ACTION}`), 404);
    assert.equal(await statusOf(server, `/ac/${ACTION}`, { headers: ACCEPT_JSON }), 404);
    assert.equal((await server.send("HEAD", `/bazel/ac/${ACTION}`)).status, 404);
    await server.send("PUT", `/ac/${ACTION}`, { body: result({ exitCode: 4 }) });
    assert.deepEqual((await server.send("GET", `/ac/${ACTION}`, agent)).bytes, body);
    await server.send("PUT", `/ac/${CCACHE_BAZEL}`, { body: "result" });
    assert.equal(await statusOf(server, `/bazel/ac/${CCACHE_BAZEL}`), 404);
    const info = `/v1/info/${CCACHE_KEY}?protocol=ccache`;
    assert.equal(JSON.parse((await server.send("GET", info)).text).content, "opaque");
  },
};
