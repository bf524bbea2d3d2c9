/** Cases of the HTTP API: blobs. */
import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { digestHex, digestOf } from "../../core/digest.ts";
import type { HttpCase } from "./http_api.ts";

const JSON_TYPE = { "content-type": "application/json" };
const zstd = { "content-encoding": "zstd" };

/** Bytes that do not repeat. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) % 2 ** 31;
    bytes[i] = state / 2 ** 16;
  }
  return bytes;
}

/** Where these bytes belong. */
export function placeOf(bytes: Uint8Array): string {
  return `/v1/blobs/${digestOf(bytes)}`;
}

function packed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(zstdCompressSync(bytes));
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

export const blobCases: Readonly<Record<string, HttpCase>> = {
  "a blob comes back as it went, small and large, with and without a length": async (server) => {
    for (const size of [0, 1, 1000, 300_000, 1024 * 1024, 3_000_000]) {
      for (const chunked of [false, true]) {
        const body = noise(size, size + (chunked ? 1 : 2));
        const target = placeOf(body);
        const put = await server.send("PUT", target, { body, chunked });
        assert.equal(put.status, size === 0 ? 200 : 201, `${size} ${put.text}`);
        assert.equal((await server.send("PUT", target, { body, chunked })).status, 200);
        const got = await server.send("GET", target);
        assert.equal(got.status, 200);
        assert.deepEqual(got.bytes, body);
        assert.equal(got.headers.get("content-length"), `${size}`);
        assert.equal(got.headers.get("content-type"), "application/octet-stream");
        assert.equal(got.headers.get("x-content-type-options"), "nosniff");
        assert.match(got.headers.get("vitte-request-id") ?? "", /^[0-9a-f]{8}-\d+$/);
        const head = await server.send("HEAD", target);
        assert.equal(head.status, 200);
        assert.equal(head.headers.get("content-length"), `${size}`);
        assert.equal(head.bytes.length, 0);
      }
    }
  },
  "a stored content type never comes back": async (server) => {
    const body = utf8("<script>alert(1)</script>");
    const headers = { "content-type": "text/html" };
    await server.send("PUT", placeOf(body), { body, headers });
    const got = await server.send("GET", placeOf(body));
    assert.equal(got.headers.get("content-type"), "application/octet-stream");
  },
  "bare hex and sha256-hex are one blob; anything else is 400": async (server) => {
    const body = utf8("x");
    await server.send("PUT", `/v1/blobs/${digestHex(digestOf(body))}`, { body });
    assert.equal((await server.send("GET", placeOf(body))).text, "x");
    for (const name of ["x", "sha256-", "a".repeat(63), "A".repeat(64), `sha1-${"a".repeat(40)}`]) {
      assert.equal((await server.send("GET", `/v1/blobs/${name}`)).status, 400, name);
    }
  },
  "wrong hash and wrong length are 400 and keep nothing": async (server) => {
    const body = utf8("right");
    const target = placeOf(body);
    for (const wrong of [utf8("wrong"), utf8(""), utf8("right "), noise(2_000_000)]) {
      for (const chunked of [false, true]) {
        assert.equal((await server.send("PUT", target, { body: wrong, chunked })).status, 400);
        assert.equal((await server.send("GET", target)).status, 404);
      }
      assert.equal((await server.send("GET", placeOf(wrong))).status, wrong.length ? 404 : 200);
    }
  },
  "one range is 206, nonsense and several are the whole, past the end is 416": async (server) => {
    const body = utf8("0123456789");
    const target = placeOf(body);
    await server.send("PUT", target, { body });
    const cases: [string, number, string, string | null][] = [
      ["bytes=2-4", 206, "234", "bytes 2-4/10"],
      ["bytes=0-0", 206, "0", "bytes 0-0/10"],
      ["bytes=8-", 206, "89", "bytes 8-9/10"],
      ["bytes=8-999", 206, "89", "bytes 8-9/10"],
      ["bytes=-3", 206, "789", "bytes 7-9/10"],
      ["bytes=-999", 206, "0123456789", "bytes 0-9/10"],
      ["BYTES=1-1", 206, "1", "bytes 1-1/10"],
      ["bytes=0-0,5-5", 200, "0123456789", null],
      ["bytes=0-0,", 200, "0123456789", null],
      ["bytes=5-2", 200, "0123456789", null],
      ["bytes=-", 200, "0123456789", null],
      ["bytes=a-b", 200, "0123456789", null],
      ["bytes=1-2-3", 200, "0123456789", null],
      ["bytes=0x1-2", 200, "0123456789", null],
      ["bytes", 200, "0123456789", null],
      ["lines=1-2", 200, "0123456789", null],
      ["bytes=10-", 416, "", "bytes */10"],
      ["bytes=10-12", 416, "", "bytes */10"],
      ["bytes=-0", 416, "", "bytes */10"],
      ["bytes=99999999999999999999-", 416, "", "bytes */10"],
      ["bytes=18446744073709551616-18446744073709551617", 416, "", "bytes */10"],
    ];
    for (const [range, status, text, contentRange] of cases) {
      const answer = await server.send("GET", target, { headers: { range } });
      assert.equal(answer.status, status, range);
      assert.equal(answer.headers.get("content-range"), contentRange, range);
      if (status !== 416) assert.equal(answer.text, text, range);
    }
    const head = await server.send("HEAD", target, { headers: { range: "bytes=1-2" } });
    assert.deepEqual([head.status, head.headers.get("content-length")], [200, "10"]);
    const missing = await server.send("GET", placeOf(utf8("no")), {
      headers: { range: "bytes=0-1" },
    });
    assert.equal(missing.status, 404);
  },
  "If-Range and If-None-Match go by the digest": async (server) => {
    const body = utf8("0123456789");
    const target = placeOf(body);
    const put = await server.send("PUT", target, { body });
    assert.equal(put.status, 201);
    const tag = (await server.send("GET", target)).headers.get("etag") ?? "";
    assert.equal(tag, `"${digestOf(body)}"`);
    const ask = async (headers: Record<string, string>) =>
      (await server.send("GET", target, { headers })).status;
    assert.equal(await ask({ range: "bytes=1-2", "if-range": tag }), 206);
    assert.equal(await ask({ range: "bytes=1-2", "if-range": '"other"' }), 200);
    assert.equal(await ask({ range: "bytes=1-2", "if-range": `W/${tag}` }), 200);
    assert.equal(
      await ask({ range: "bytes=1-2", "if-range": "Sat, 01 Jan 2028 00:00:00 GMT" }),
      200,
    );
    assert.equal(await ask({ "if-none-match": tag }), 304);
    assert.equal(await ask({ "if-none-match": `"x", W/${tag}` }), 304);
    assert.equal(await ask({ "if-none-match": "*" }), 304);
    assert.equal(await ask({ "if-none-match": '"x"' }), 200);
    assert.equal(await ask({ "if-none-match": '"' }), 200);
  },
  "DELETE takes a blob out of the namespace and needs the verb": async (server) => {
    const body = utf8("to go");
    const target = `/ns/team-a${placeOf(body)}`;
    await server.send("PUT", target, { as: "a", body });
    assert.equal((await server.send("DELETE", placeOf(body))).status, 403);
    assert.equal((await server.send("DELETE", target, { as: "a" })).status, 204);
    assert.equal((await server.send("GET", target, { as: "a" })).status, 404);
    assert.equal((await server.send("DELETE", target, { as: "a" })).status, 404);
  },
  "missing tells which digests are not here, each once": async (server) => {
    const here = utf8("here");
    await server.send("PUT", placeOf(here), { body: here });
    const gone = digestOf(utf8("gone"));
    const digests = [digestOf(here), gone, digestHex(gone), digestOf(utf8(""))];
    const body = JSON.stringify({ digests });
    const answer = await server.send("POST", "/v1/blobs/missing", { body, headers: JSON_TYPE });
    assert.deepEqual(JSON.parse(answer.text), { missing: [gone] });
  },
  "bad JSON is 400 with the path, another media type 415": async (server) => {
    const ask = (
      body: string | Uint8Array<ArrayBuffer>,
      headers: Record<string, string> = JSON_TYPE,
    ) => server.send("POST", "/v1/blobs/missing", { body, headers });
    const cases: [string | Uint8Array<ArrayBuffer>, RegExp][] = [
      ["", /no JSON/],
      ["{", /no JSON/],
      ["[]", /digests/],
      ["null", /whole/],
      ["{}", /digests/],
      ['{"digests":[1]}', /digests\.0/],
      ['{"digests":["x"]}', /digests\.0/],
      [`{"digests":["${"A".repeat(64)}"]}`, /digests\.0/],
      ['{"digests":[],"more":1}', /more/],
      ['{"digests":[],"__proto__":{}}', /__proto__/],
      ['{"digests":[],"toString":1}', /toString/],
      ["[".repeat(100_000), /no JSON/],
      [new Uint8Array([0x7b, 0xff, 0x7d]), /UTF-8/],
    ];
    for (const [body, want] of cases) {
      const answer = await ask(body);
      assert.equal(answer.status, 400, `${body.slice(0, 40)}: ${answer.text}`);
      assert.match(JSON.parse(answer.text).detail, want);
    }
    assert.equal((await ask('{"digests":[]}', { "content-type": "text/plain" })).status, 415);
    assert.equal((await ask('{"digests":[]}', {})).status, 415);
    const charset = { "content-type": "application/json; charset=utf-8" };
    assert.equal((await ask('{"digests":[]}', charset)).status, 200);
    assert.equal((await ask(" ".repeat(8 * 1024 * 1024 + 1))).status, 413);
  },
  "zstd bodies: one frame, several, none of them cut, and no bomb": async (server) => {
    const plain = noise(200_000);
    const put = (bytes: Uint8Array<ArrayBuffer>, of = plain) =>
      server.send("PUT", placeOf(of), { body: bytes, headers: zstd });
    const whole = packed(plain);
    const bad: [string, Uint8Array<ArrayBuffer>][] = [
      ["cut in the middle", whole.slice(0, whole.length / 2)],
      ["cut by one byte", whole.slice(0, -1)],
      ["half a magic number", whole.slice(0, 3)],
      ["nothing", new Uint8Array(0)],
      ["garbage behind", new Uint8Array([...whole, 1, 2, 3])],
      ["not packed", plain],
      ["another content", packed(noise(200_000, 7))],
    ];
    for (const [what, bytes] of bad) {
      assert.equal((await put(bytes)).status, 400, what);
      assert.equal((await server.send("GET", placeOf(plain))).status, 404, what);
    }
    const two = new Uint8Array([...packed(plain.slice(0, 5)), ...packed(plain.slice(5))]);
    assert.equal((await put(two)).status, 201);
    assert.deepEqual((await server.send("GET", placeOf(plain))).bytes, plain);
    const other = { "content-encoding": "gzip" };
    const gzip = await server.send("PUT", placeOf(plain), { body: plain, headers: other });
    assert.equal(gzip.status, 415);
  },
  "bytes shaped like a recipe or an ActionResult stay bytes": async (server) => {
    for (
      const body of [
        new Uint8Array([0x52, 0x43, 0x50, 1, 0, 0]),
        new Uint8Array([0x20, 1]),
        noise(32),
      ]
    ) {
      await server.send("PUT", placeOf(body), { body });
      assert.deepEqual((await server.send("GET", placeOf(body))).bytes, body);
      const hex = digestHex(digestOf(body));
      assert.equal((await server.send("GET", `/ac/${hex}`)).status, 404);
    }
  },
};
