/** Everything a client can do wrong, against a real server: it answers, keeps nothing, stays up. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { sendRaw } from "../helpers/raw_http.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { run, runCli, startServer } from "../helpers/real_server.ts";
import { skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Runs `work` on a fresh server, then looks that it is up, whole, and kept what it should. */
async function onServer(
  work: (server: RealServer) => Promise<void>,
  options: { entries?: number; blobs?: number; args?: string[] } = {},
): Promise<void> {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`, { args: options.args ?? [] });
  await work(server);
  const stats = await (await call(server, "GET", "/v1/stats")).json();
  assert.equal(stats.entries, options.entries ?? 0, "entries");
  assert.equal(stats.blobs, options.blobs ?? 0, "blobs");
  const verified = await call(server, "POST", "/v1/admin/verify", {
    body: "{}",
    headers: { "content-type": "application/json" },
  });
  const report = await verified.json();
  assert.deepEqual([report.quarantined, report.lost, report.problems], [0, 0, []]);
  assert.equal(await server.stop(), 0, server.log());
}

function call(
  server: RealServer,
  method: string,
  path: string,
  options: { body?: BodyInit; headers?: Record<string, string>; token?: string } = {},
): Promise<Response> {
  return fetch(server.url + path, {
    method,
    headers: {
      authorization: `Bearer ${options.token ?? server.adminToken}`,
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: options.body }),
  });
}

async function status(answer: Promise<Response>): Promise<number> {
  const response = await answer;
  await response.body?.cancel();
  return response.status;
}

function head(server: RealServer, method: string, path: string, lines: string[] = []): string {
  return [
    `${method} ${path} HTTP/1.1`,
    `Host: ${new URL(server.url).host}`,
    `Authorization: Bearer ${server.adminToken}`,
    ...lines,
    "",
    "",
  ].join("\r\n");
}

Deno.test("bad input: wrong hash keeps nothing, small and large", async () => {
  await onServer(async (server) => {
    for (const size of [10, 300_000, 3_000_000]) {
      const body = crypto.getRandomValues(new Uint8Array(65_536)).slice(0, Math.min(size, 65_536));
      const large = new Uint8Array(size).map((_, n) => body[n % body.length]! ^ (n >> 16));
      const wrong = sha(encode(`not the hash of ${size}`));
      assert.equal(await status(call(server, "PUT", `/v1/blobs/${wrong}`, { body: large })), 400);
      assert.equal(await status(call(server, "PUT", `/bazel/cas/${wrong}`, { body: large })), 400);
      assert.equal(await status(call(server, "GET", `/v1/blobs/${wrong}`)), 404);
    }
    const stats = await (await call(server, "GET", "/v1/stats")).json();
    assert.equal(stats.stored_bytes, 0, "a refused upload left bytes");
  });
});

Deno.test("bad input: a body shorter than said, and one longer", async () => {
  await onServer(async (server) => {
    const short = head(server, "PUT", "/v1/entries/short", ["Content-Length: 100"]) + "too short";
    await sendRaw(server.url, short, { halfClose: true });
    assert.equal(await status(call(server, "GET", "/v1/entries/short")), 404);
    const long = head(server, "PUT", "/v1/entries/long", ["Content-Length: 4"]) + "more than four";
    const answer = await sendRaw(server.url, long);
    assert.equal(answer?.status, 201);
    assert.equal(await (await call(server, "GET", "/v1/entries/long")).text(), "more");
    const chunked = head(server, "PUT", "/v1/entries/c", ["Transfer-Encoding: chunked"]) +
      "5\r\nhello\r\nZZZ\r\nnonsense";
    await sendRaw(server.url, chunked, { halfClose: true });
    assert.equal(await status(call(server, "GET", "/v1/entries/c")), 404);
  }, { entries: 1, blobs: 1 });
});

Deno.test("bad input: a client gone at the first, a middle and the last byte of an upload", async () => {
  await onServer(async (server) => {
    const size = 2_000_000;
    for (const sent of [0, 1, 70_000, 1_000_000, size - 1]) {
      const path = `/v1/entries/gone-${sent}`;
      const bytes = new Uint8Array([
        ...encode(head(server, "PUT", path, [`Content-Length: ${size}`])),
        ...new Uint8Array(sent).fill(7),
      ]);
      await sendRaw(server.url, bytes, { ms: 50 });
      assert.equal(await status(call(server, "GET", path)), 404);
    }
  });
});

Deno.test("bad input: a client gone at the first, a middle and the last byte of a download", async () => {
  await onServer(async (server) => {
    const body = crypto.getRandomValues(new Uint8Array(65_536));
    const large = new Blob(Array.from({ length: 64 }, (_, n) => body.map((byte) => byte ^ n)));
    assert.equal(await status(call(server, "PUT", "/v1/entries/large", { body: large })), 201);
    for (const parts of [0, 1, 5, 50]) {
      for (let times = 0; times < 5; times++) {
        const response = await call(server, "GET", "/v1/entries/large");
        const reader = response.body!.getReader();
        for (let n = 0; n < parts; n++) await reader.read();
        await reader.cancel();
      }
    }
    const whole = await (await call(server, "GET", "/v1/entries/large")).bytes();
    assert.equal(whole.length, 64 * 65_536);
    const open = [...Deno.readDirSync(`/proc/${server.pid}/fd`)].length;
    assert.ok(open < 200, `${open} descriptors are open`);
  }, { entries: 1, blobs: 1 });
});

Deno.test("bad input: many half headers do not keep others out", async () => {
  await onServer(async (server) => {
    const { hostname, port } = new URL(server.url);
    const half: Deno.TcpConn[] = [];
    try {
      for (let n = 0; n < 200; n++) {
        const connection = await Deno.connect({ hostname, port: Number(port) });
        half.push(connection);
        await connection.write(encode("GET / HTTP/1.1\r\nHost: 127"));
      }
      for (let n = 0; n < 20; n++) assert.equal(await status(call(server, "GET", "/healthz")), 200);
    } finally {
      for (const connection of half) connection.close();
    }
  });
});

Deno.test("bad input: hostile paths are 400, 404 or 405 and store nothing", async (t) => {
  const hostile = [
    "/v1/entries/../../etc/passwd",
    "/v1/entries/..",
    "/v1/entries/.",
    "/v1/entries/a/../b",
    "/v1/entries/a/./b",
    "/v1/entries/a//b",
    "/v1/entries//a",
    "/v1/entries/%2e%2e/x",
    "/v1/entries/%2E%2E%2Fx",
    "/v1/entries/a%2fb",
    "/v1/entries/a%5cb",
    "/v1/entries/a\\b",
    "/v1/entries/%00",
    "/v1/entries/a%00b",
    "/v1/entries/%0a",
    "/v1/entries/%",
    "/v1/entries/%zz",
    "/v1/entries/%c0%ae",
    "/v1/entries/%ff",
    "/v1/entries/%ed%a0%80",
    "/v1/entries/",
    "/v1/entries/e%CC%81",
    "/ns/../v1/entries/a",
    "/ns/A/v1/entries/a",
    "/ns//v1/entries/a",
    "/ns/%2e%2e/v1/entries/a",
    "/ns/a",
    "/ns/a/",
    `/ns/${"n".repeat(65)}/v1/entries/a`,
    `/v1/entries/${"k".repeat(100_000)}`,
    "/bazel/ac/xyz",
    "/bazel/cas/../../x",
    "/bazel/../v1/entries/a",
    "//v1/entries/a",
    "/ccache/..",
    "/ccache/aa/..",
    "/",
    "/v2/x",
  ];
  await onServer(async (server) => {
    for (const path of hostile) {
      await t.step(path.slice(0, 60), async () => {
        const text = head(server, "PUT", path, ["Content-Length: 1"]) + "x";
        const answer = await sendRaw(server.url, text);
        assert.ok(
          answer && [400, 404, 405, 414, 431].includes(answer.status),
          `${path}: ${answer?.status} ${answer?.body}`,
        );
      });
    }
  });
});

Deno.test("bad input: Host and Origin of somebody else", async () => {
  await onServer(async (server) => {
    for (
      const host of ["evil.example", "evil.example:80", "a b", "[::1", "127.0.0.1.evil.example"]
    ) {
      const text = `GET /v1/stats HTTP/1.1\r\nHost: ${host}\r\n` +
        `Authorization: Bearer ${server.adminToken}\r\n\r\n`;
      const answer = await sendRaw(server.url, text);
      assert.ok([400, 421].includes(answer?.status ?? 0), `${host}: ${answer?.status}`);
      if (answer?.status === 421) assert.match(answer.body, /--allowed-host/);
    }
    const origin = { origin: "https://evil.example" };
    assert.equal(await status(call(server, "GET", "/v1/stats", { headers: origin })), 403);
  });
});

Deno.test("bad input: zstd bombs, truncated and several frames", async () => {
  await onServer(async (server) => {
    const zstd = { "content-encoding": "zstd" };
    const put = (bytes: Uint8Array<ArrayBuffer>, of: Uint8Array) =>
      status(call(server, "PUT", `/bazel/cas/${sha(of)}`, { body: bytes, headers: zstd }));
    const plain = encode("plain text ".repeat(1000));
    const packed = new Uint8Array(zstdCompressSync(plain));
    assert.equal(await put(packed.slice(0, -5), plain), 400, "truncated");
    assert.equal(await put(new Uint8Array([...packed, 1, 2, 3]), plain), 400, "garbage behind");
    assert.equal(await put(packed.slice(0, 3), plain), 400, "half a magic number");
    const bomb = new Uint8Array(zstdCompressSync(new Uint8Array(64 * 1024 * 1024)));
    assert.equal(await put(bomb, plain), 413, "a bomb");
    const half = plain.length / 2;
    const frames = [plain.subarray(0, half), plain.subarray(half)].map((part) =>
      new Uint8Array(zstdCompressSync(part))
    );
    const both = new Uint8Array([...frames[0]!, ...frames[1]!]);
    assert.equal(await put(both, plain), 200, "two frames are one body");
  }, { blobs: 1, args: ["--max-blob-size", "32MiB"] });
});

Deno.test("bad input: wrong, truncated, expired and revoked tokens are 401", async () => {
  await onServer(async (server) => {
    const admin = server.adminToken;
    const last = admin.at(-1) === "A" ? "B" : "A";
    const wrong = [
      "x",
      "Bearer",
      admin.slice(0, -1),
      admin.slice(0, -4) + "AAAA",
      admin + "A",
      admin.toUpperCase(),
      "vrc_" + "0".repeat(16) + admin.slice(20),
      " ",
      "vrc_".repeat(2000),
      admin.slice(0, 60) + last + admin.slice(61),
    ];
    for (const token of wrong) {
      assert.equal(
        await status(call(server, "GET", "/v1/stats", { token })),
        401,
        token.slice(0, 30),
      );
    }
    for (
      const authorization of ["Basic !!!", "Basic", "Digest abc", `Bearer ${admin} x`, "Basic Og=="]
    ) {
      const answer = call(server, "GET", "/v1/stats", { headers: { authorization } });
      assert.equal(await status(answer), 401, authorization.slice(0, 20));
    }
    const basic = `Basic ${btoa(`anybody:${admin}`)}`;
    const good = call(server, "GET", "/v1/stats", { headers: { authorization: basic } });
    assert.equal(await status(good), 200);
    const env = { VITTE_TOKEN: admin };
    const cli = (...args: string[]) => runCli([...args, "--url", server.url], { env });
    const brief =
      (await cli("token", "create", "brief", "--allow", "read", "--expires", "1ms")).stdout;
    assert.equal(await status(call(server, "GET", "/v1/whoami", { token: brief.trim() })), 401);
    const made = (await cli("token", "create", "gone", "--allow", "read")).stdout.trim();
    assert.equal(await status(call(server, "GET", "/v1/whoami", { token: made })), 200);
    assert.equal((await cli("token", "revoke", "gone")).code, 0);
    assert.equal(await status(call(server, "GET", "/v1/whoami", { token: made })), 401);
  });
});

Deno.test("bad input: without a token everything but health and identity is 401", async () => {
  await onServer(async (server) => {
    const hex = "0".repeat(64);
    const paths = [
      "/v1/stats",
      "/v1/whoami",
      "/v1/tokens",
      "/v1/entries",
      "/v1/entries/a",
      "/v1/info/a",
      `/v1/blobs/${hex}`,
      "/metrics",
      "/status",
      `/bazel/ac/${hex}`,
      `/bazel/cas/${hex}`,
      "/ccache/aa/bb",
      `/ac/${hex}`,
      `/cas/${hex}`,
      "/v1/nothing",
      "/nothing",
      "/",
      `/ns/x/v1/blobs/${hex}`,
    ];
    for (const path of paths) {
      for (const method of ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"]) {
        const body = ["PUT", "POST", "PATCH"].includes(method) ? { body: "x" } : {};
        const answer = await fetch(server.url + path, { method, ...body });
        await answer.body?.cancel();
        assert.equal(answer.status, 401, `${method} ${path}`);
        assert.match(answer.headers.get("www-authenticate") ?? "", /Basic/);
      }
    }
    assert.equal(await (await fetch(`${server.url}/healthz`)).text(), "ok");
    const nonce = "A".repeat(86);
    assert.notEqual(await status(fetch(`${server.url}/v1/identity?nonce=${nonce}`)), 401);
  });
});

Deno.test("bad input: unknown methods, odd ranges and nonsense headers", async () => {
  await onServer(async (server) => {
    const put = call(server, "PUT", "/v1/entries/k", { body: "0123456789" });
    assert.equal(await status(put), 201);
    for (const method of ["FROB", "PATCH", "POST"]) {
      const answer = await call(server, method, "/v1/entries/k");
      await answer.body?.cancel();
      assert.equal(answer.status, 405, method);
      assert.match(answer.headers.get("allow") ?? "", /GET/);
    }
    const ranges: [string, number, string][] = [
      ["bytes=2-4", 206, "234"],
      ["bytes=-3", 206, "789"],
      ["bytes=8-", 206, "89"],
      ["bytes=8-99", 206, "89"],
      ["bytes=0-0,5-5", 200, "0123456789"],
      ["bytes=a-b", 200, "0123456789"],
      ["lines=1-2", 200, "0123456789"],
      ["bytes=5-2", 200, "0123456789"],
      ["bytes=99999999999999999999-", 416, ""],
      ["bytes=10-", 416, ""],
    ];
    for (const [range, wanted, text] of ranges) {
      const answer = await call(server, "GET", "/v1/entries/k", { headers: { range } });
      const body = await answer.text();
      assert.equal(answer.status, wanted, range);
      if (wanted !== 416) assert.equal(body, text, range);
      else assert.equal(answer.headers.get("content-range"), "bytes */10");
    }
    const raw = (lines: string[]) =>
      sendRaw(server.url, head(server, "GET", "/v1/entries/k", lines));
    assert.equal((await raw(["Content-Length: banana"]))?.status, 400);
    assert.equal((await raw(['If-None-Match: "', "Accept-Encoding: \x01"]))?.status ?? 400, 400);
    const large = (await raw([`X-Large: ${"x".repeat(2_000_000)}`]))?.status ?? 431;
    assert.ok([400, 431].includes(large), String(large));
    assert.equal((await raw(["X-Fine: yes"]))?.status, 200);
  }, { entries: 1, blobs: 1 });
});

Deno.test("bad input: bytes shaped like a recipe stay bytes", async () => {
  await onServer(async (server) => {
    const large = new Uint8Array(600_000).map((_, n) => (n * 7919) % 251);
    assert.equal(
      await status(call(server, "PUT", `/v1/blobs/${sha(large)}`, { body: large })),
      201,
    );
    const packs = [...Deno.readDirSync(`${server.dir}/active`)];
    for (const item of packs) {
      const segment = await Deno.readFile(`${server.dir}/active/${item.name}`);
      const tail = segment.slice(-Math.min(segment.length, 200_000));
      const put = call(server, "PUT", `/v1/blobs/${sha(tail)}`, { body: tail });
      assert.equal(await status(put), 201);
      const back = await (await call(server, "GET", `/v1/blobs/${sha(tail)}`)).bytes();
      assert.deepEqual(back, tail);
    }
    const back = await (await call(server, "GET", `/v1/blobs/${sha(large)}`)).bytes();
    assert.deepEqual(back, large);
  }, { blobs: 3 });
});

Deno.test("bad input: a token of one namespace learns nothing of another's blobs", async () => {
  await onServer(async (server) => {
    const env = { VITTE_TOKEN: server.adminToken };
    const make = async (name: string, namespace: string) => {
      const args = [
        "token",
        "create",
        name,
        "--allow",
        "read,write,invalidate",
        "--namespace",
        namespace,
      ];
      const made = await runCli([...args, "--url", server.url], { env });
      assert.equal(made.code, 0, made.stderr);
      return made.stdout.trim();
    };
    const a = await make("a", "team-a");
    const b = await make("b", "team-b");
    const secret = encode("a secret of team b");
    const hex = sha(secret);
    const put = call(server, "PUT", `/ns/team-b/v1/blobs/${hex}`, { body: secret, token: b });
    assert.equal(await status(put), 201);
    for (const shape of ["/v1/blobs/", "/bazel/cas/"]) {
      for (const method of ["GET", "HEAD"]) {
        const known = await call(server, method, `/ns/team-a${shape}${hex}`, { token: a });
        const other = "f".repeat(64);
        const unknown = await call(server, method, `/ns/team-a${shape}${other}`, { token: a });
        assert.equal(known.status, 404);
        const [one, two] = [await known.text(), await unknown.text()];
        const plain = (text: string) =>
          text.replaceAll(hex, "X").replaceAll(other, "X").replace(
            /"request_id":"[^"]*"|[0-9a-f-]{16,}/g,
            "",
          );
        assert.equal(plain(one), plain(two));
      }
      const foreign = call(server, "GET", `/ns/team-b${shape}${hex}`, { token: a });
      assert.equal(await status(foreign), 403);
    }
    const missing = await call(server, "POST", "/ns/team-a/v1/blobs/missing", {
      token: a,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ digests: [`sha256-${hex}`] }),
    });
    assert.deepEqual((await missing.json()).missing, [`sha256-${hex}`]);
    const pretend = await call(server, "PUT", `/ns/team-a/v1/blobs/${hex}`, { token: a, body: "" });
    await pretend.body?.cancel();
    assert.equal(pretend.status, 400, "uploading without sending");
    assert.equal(
      await status(call(server, "GET", `/ns/team-a/v1/blobs/${hex}`, { token: a })),
      404,
    );
    const real = call(server, "PUT", `/ns/team-a/v1/blobs/${hex}`, { token: a, body: secret });
    assert.equal(await status(real), 201, "somebody who has the bytes may store them");
    const gone = call(server, "DELETE", `/ns/team-a/v1/blobs/${hex}`, { token: a });
    assert.ok([200, 204].includes(await status(gone)));
    const still = call(server, "GET", `/ns/team-b/v1/blobs/${hex}`, { token: b });
    assert.equal(await status(still), 200, "a delete in one namespace took the other's");
  }, { blobs: 1 });
});

skippable("bad input: a full disk gives 507, reads go on, writes go on when there is room", {
  need: () => Promise.resolve(Deno.uid() === 0 ? undefined : "mounting a tmpfs needs root"),
}, async () => {
  await using folder = await tempDir();
  const mount = `${folder.path}/small`;
  await Deno.mkdir(mount);
  const mounted = await run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", mount]);
  assert.equal(mounted.code, 0, mounted.stderr);
  try {
    await using server = await startServer(`${mount}/store`, { args: ["--max-size", "none"] });
    const body = (n: number) => crypto.getRandomValues(new Uint8Array(60_000)).fill(n, 0, 1);
    assert.equal(
      await status(call(server, "PUT", "/v1/entries/first", { body: "the first" })),
      201,
    );
    const kept: string[] = [];
    let refused = 0;
    for (let n = 0; n < 600 && refused < 3; n++) {
      const answer = await status(call(server, "PUT", `/v1/entries/k${n}`, { body: body(n) }));
      if (answer === 507) refused++;
      else if (answer === 201) kept.push(`k${n}`);
      else assert.fail(`PUT on a full disk: ${answer}`);
    }
    assert.equal(refused, 3, "the disk never filled");
    assert.equal(await (await call(server, "GET", "/v1/entries/first")).text(), "the first");
    for (const key of kept) {
      assert.equal(await status(call(server, "GET", `/v1/entries/${key}`)), 200, key);
    }
    const larger = await run(["mount", "-o", "remount,size=64m", mount]);
    assert.equal(larger.code, 0, larger.stderr);
    assert.equal(await status(call(server, "PUT", "/v1/entries/again", { body: body(1) })), 201);
    for (const key of ["first", "again", ...kept]) {
      assert.equal(await status(call(server, "GET", `/v1/entries/${key}`)), 200, key);
    }
    assert.equal(await server.stop(), 0, server.log());
  } finally {
    const unmounted = await run(["umount", mount]);
    assert.equal(unmounted.code, 0, unmounted.stderr);
  }
});
