/** Cases of the HTTP API: who may do what, and what strangers learn. */
import { create, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { digestHex, digestOf } from "../../core/digest.ts";
import { ActionResultSchema } from "../../server/adapters/generated/remote_execution_pb.ts";
import type { HttpAnswer, HttpCase } from "./http_api.ts";
import { placeOf } from "./http_api_blobs.ts";

const JSON_TYPE = { "content-type": "application/json" };
const HEX = "a".repeat(63) + "0";
const CCACHE_KEY = "0123456789".repeat(4);

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** What must be equal in two answers that must not be told apart. */
function looks(answer: HttpAnswer, ...names: string[]): string {
  let text = answer.text.replace(/"request_id":"[^"]*"/, "");
  for (const name of names) text = text.replaceAll(name, "NAME");
  const kept = [...answer.headers].filter(([name]) => !/^(date|vitte-request-id)$/.test(name));
  return JSON.stringify([answer.status, text, kept]);
}

export const accessCases: Readonly<Record<string, HttpCase>> = {
  "without a token everything but health, identity and preflight is 401": async (server) => {
    const targets = [
      "/",
      "/v1/entries/k",
      "/v1/entries",
      "/v1/info/k",
      `/v1/blobs/${HEX}`,
      "/v1/blobs/missing",
      "/v1/stats",
      "/v1/stats/history",
      "/v1/inspect/k",
      "/v1/remove",
      "/v1/audit",
      "/v1/whoami",
      "/v1/tokens",
      "/v1/tokens/x/rotate",
      "/v1/admin/verify",
      "/v1/admin/gc",
      "/metrics",
      "/status",
      `/bazel/ac/${HEX}`,
      `/cas/${HEX}`,
      `/${CCACHE_KEY}`,
      "/nothing/here",
      "/v1/entries/../x",
    ];
    for (const target of targets) {
      for (const method of ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "FROB"]) {
        const answer = await server.send(method, target, { as: null });
        assert.equal(answer.status, 401, `${method} ${target}`);
        const challenge = answer.headers.get("www-authenticate") ?? "";
        assert.match(challenge, /Basic realm="vitte-remote-cache"/);
        assert.match(challenge, /Bearer/);
      }
    }
    const health = await server.send("GET", "/healthz", { as: null });
    assert.deepEqual([health.status, health.text], [200, "ok"]);
    const identity = await server.send("GET", "/v1/identity", { as: null });
    assert.equal(identity.status, 400, "a nonce is needed, a token is not");
    const preflight = await server.send("OPTIONS", "/v1/entries/k", {
      as: null,
      headers: { "access-control-request-method": "PUT" },
    });
    assert.equal(preflight.status, 204);
    assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /Authorization/);
    assert.equal(preflight.headers.get("access-control-allow-origin"), null);
  },
  "a wrong token is 401 in whatever shape it comes": async (server) => {
    const { writer } = server.tokens;
    const wrong = [
      "Bearer",
      "Bearer x",
      `Bearer ${writer.slice(0, -1)}`,
      `Bearer ${writer}x`,
      `Bearer ${writer.toUpperCase()}`,
      "Basic",
      "Basic !!!",
      "Basic YTpi",
      `Digest ${writer}`,
      "x".repeat(5000),
    ];
    for (const authorization of wrong) {
      const answer = await server.send("GET", "/v1/whoami", { headers: { authorization } });
      assert.equal(answer.status, 401, authorization.slice(0, 40));
      assert.ok(!answer.text.includes(writer), "the answer repeats the token");
    }
  },
  "a known token without the verb or the namespace is 403": async (server) => {
    const put = { body: "x" };
    const refused: [string, string, "reader" | "writer" | "a"][] = [
      ["PUT", "/v1/entries/k", "reader"],
      ["PUT", placeOf(utf8("x")), "reader"],
      ["PUT", `/cas/${HEX}`, "reader"],
      ["PUT", `/ac/${HEX}`, "reader"],
      ["PUT", `/${CCACHE_KEY}`, "reader"],
      ["DELETE", `/${CCACHE_KEY}`, "reader"],
      ["DELETE", "/v1/entries/k", "writer"],
      ["DELETE", `/v1/blobs/${HEX}`, "writer"],
      ["GET", "/v1/entries/k", "a"],
      ["GET", "/ns/team-b/v1/entries/k", "a"],
      ["GET", "/ns/nobody/v1/entries/k", "a"],
      ["GET", `/ns/team-b/cas/${HEX}`, "a"],
      ["GET", "/v1/entries", "a"],
      ["GET", "/metrics", "writer"],
      ["GET", "/v1/tokens", "writer"],
      ["POST", "/v1/tokens", "writer"],
      ["DELETE", "/v1/tokens/x", "writer"],
      ["POST", "/v1/tokens/x/rotate", "writer"],
      ["POST", "/v1/admin/gc", "writer"],
      ["POST", "/v1/admin/verify", "writer"],
    ];
    for (const [method, target, as] of refused) {
      const answer = await server.send(method, target, method === "PUT" ? { as, ...put } : { as });
      assert.equal(answer.status, 403, `${method} ${target} as ${as}: ${answer.text}`);
      assert.equal(answer.headers.get("www-authenticate"), null);
    }
    const exists = await server.send("GET", "/ns/team-b/v1/entries/k", { as: "a" });
    const not = await server.send("GET", "/ns/nobody/v1/entries/k", { as: "a" });
    assert.equal(looks(exists, "team-b"), looks(not, "nobody"));
  },
  "a namespace's blob looks unknown to another: GET, HEAD, missing, results": async (server) => {
    const secret = utf8("a secret of team b");
    const none = utf8("nobody stored this");
    await server.send("PUT", `/ns/team-b${placeOf(secret)}`, { as: "b", body: secret });
    const [known, unknown] = [digestHex(digestOf(secret)), digestHex(digestOf(none))];
    const both = async (method: string, before: string, question = {}) => {
      const one = await server.send(method, before + known, { as: "a", ...question });
      const two = await server.send(method, before + unknown, { as: "a", ...question });
      assert.equal(looks(one, known), looks(two, unknown), `${method} ${before}`);
      return one;
    };
    for (const place of ["/ns/team-a/v1/blobs/", "/ns/team-a/cas/", "/ns/team-a/bazel/cas/"]) {
      assert.equal((await both("GET", place)).status, 404);
      assert.equal((await both("HEAD", place)).status, 404);
      await both("GET", place, { headers: { range: "bytes=0-1" } });
      await both("GET", place, { headers: { "if-none-match": "*" } });
      for (const body of ["", "guess"]) {
        const put = await both("PUT", place, { body });
        assert.equal(put.status, 400, "uploading without sending");
      }
    }
    await both("DELETE", "/ns/team-a/v1/blobs/");
    const body = JSON.stringify({ digests: [known, unknown] });
    const missing = await server.send("POST", "/ns/team-a/v1/blobs/missing", {
      as: "a",
      headers: JSON_TYPE,
      body,
    });
    assert.deepEqual(JSON.parse(missing.text).missing, [`sha256-${known}`, `sha256-${unknown}`]);
    for (const blob of [secret, none]) {
      const digest = { hash: digestHex(digestOf(blob)), sizeBytes: BigInt(blob.length) };
      const result = create(ActionResultSchema, { outputFiles: [{ path: "f", digest }] });
      const bytes = new Uint8Array(toBinary(ActionResultSchema, result));
      const target = `/ns/team-a/ac/${HEX}`;
      assert.equal((await server.send("PUT", target, { as: "a", body: bytes })).status, 200);
      assert.equal((await server.send("GET", target, { as: "a" })).status, 404);
    }
    const real = await server.send("PUT", `/ns/team-a${placeOf(secret)}`, {
      as: "a",
      body: secret,
    });
    assert.equal(real.status, 201, "whoever has the bytes may store them");
    await server.send("DELETE", `/ns/team-a${placeOf(secret)}`, { as: "a" });
    const still = await server.send("GET", `/ns/team-b${placeOf(secret)}`, { as: "b" });
    assert.equal(still.text, "a secret of team b");
  },
  "Host and Origin of somebody else are refused before all else": async (server) => {
    for (
      const host of ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "a@localhost"]
    ) {
      for (const target of ["/healthz", "/v1/whoami"]) {
        const answer = await server.send("GET", target, { headers: { host } });
        assert.equal(answer.status, 421, host);
        assert.match(JSON.parse(answer.text).hint, /--allowed-host/);
      }
    }
    for (const host of ["localhost", "localhost:1", "127.0.0.1:8080", "[::1]:80", "LOCALHOST"]) {
      assert.equal((await server.send("GET", "/healthz", { headers: { host } })).status, 200, host);
    }
    for (const origin of ["https://evil.example", "null", "http://localhost.evil.example", "x"]) {
      const answer = await server.send("GET", "/v1/whoami", { headers: { origin } });
      assert.equal(answer.status, 403, origin);
      assert.equal(answer.headers.get("access-control-allow-origin"), null);
    }
    const own = await server.send("GET", "/v1/whoami", { headers: { origin: "http://localhost" } });
    assert.equal(own.status, 200);
    assert.equal(own.headers.get("access-control-allow-origin"), "http://localhost");
  },
  "whoami, stats, metrics and tokens": async (server) => {
    const who = JSON.parse((await server.send("GET", "/v1/whoami", { as: "branch" })).text);
    assert.deepEqual([who.name, who.scope, who.read_scopes], ["branch", "pr/1", ["pr/1", "main"]]);
    await server.send("PUT", "/v1/entries/k", { body: "v" });
    await server.send("GET", "/v1/entries/k");
    await server.send("GET", "/v1/entries/none");
    assert.match(who.backend, /^(?:fs|memory)$/);
    const stats = JSON.parse((await server.send("GET", "/v1/stats")).text);
    for (
      const name of [
        "entries",
        "blobs",
        "chunks",
        "logical_bytes",
        "stored_bytes",
        "hits",
        "misses",
      ]
    ) {
      assert.ok(stats[name] >= 1, `${name}: ${stats[name]}`);
    }
    assert.equal((await server.send("GET", "/metrics", { as: "admin" })).status, 200);
    const made = await server.send("POST", "/v1/tokens", {
      as: "admin",
      headers: JSON_TYPE,
      body: JSON.stringify({ name: "ci", verbs: ["read"], namespaces: ["team-a"] }),
    });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.headers.get("cache-control"), "no-store");
    const { token, info } = JSON.parse(made.text);
    assert.ok(token.length > 8);
    assert.deepEqual([info.name, info.verbs, info.read_scopes], ["ci", ["read"], ["main"]]);
    const list = await server.send("GET", "/v1/tokens", { as: "admin" });
    assert.ok(JSON.parse(list.text).tokens.some((one: { name: string }) => one.name === "ci"));
    assert.ok(!list.text.includes(token), "the list shows a secret");
    const rotated = await server.send("POST", "/v1/tokens/ci/rotate", { as: "admin" });
    assert.notEqual(JSON.parse(rotated.text).token, token);
    const gone = await server.send("DELETE", "/v1/tokens/ci", { as: "admin" });
    assert.ok(JSON.parse(gone.text).info.revoked > 0);
    assert.equal((await server.send("DELETE", "/v1/tokens/none", { as: "admin" })).status, 404);
    for (
      const bad of [
        "{}",
        '{"name":"x"}',
        '{"name":"x","verbs":["fly"]}',
        '{"name":"a b","verbs":["read"]}',
        '{"name":"x","verbs":["read"],"secret":"s"}',
      ]
    ) {
      const answer = await server.send("POST", "/v1/tokens", {
        as: "admin",
        headers: JSON_TYPE,
        body: bad,
      });
      assert.equal(answer.status, 400, bad);
    }
  },
  "administration takes JSON or nothing": async (server) => {
    const ask = (target: string, body?: string, headers = JSON_TYPE) =>
      server.send(
        "POST",
        target,
        body === undefined ? { as: "admin" } : { as: "admin", body, headers },
      );
    assert.equal((await ask("/v1/admin/gc")).status, 200);
    assert.equal((await ask("/v1/admin/gc", "{}")).status, 200);
    assert.equal((await ask("/v1/admin/gc", '{"x":1}')).status, 400);
    const verified = await ask("/v1/admin/verify", '{"repair":true}');
    assert.equal(verified.status, 200);
    assert.equal(typeof JSON.parse(verified.text).records, "number");
    assert.equal((await ask("/v1/admin/verify", '{"repair":"yes"}')).status, 400);
    assert.equal((await ask("/v1/admin/gc", "{}", { "content-type": "text/plain" })).status, 415);
  },
};
