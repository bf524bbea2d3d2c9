import assert from "node:assert/strict";
import { digestHex, digestOf } from "../core/digest.ts";
import type { ErrorKind } from "../core/errors.ts";
import { CacheError } from "../core/errors.ts";
import { createHandlerFixture, TOKENS } from "../test/helpers/http_fixture.ts";
import { noise, placeOf } from "../test/suites/http_api_blobs.ts";

const CCACHE = "/" + "0123456789".repeat(4);

Deno.test("adapters show an ill cache as a miss to readers, and say so in a header", async () => {
  await using server = createHandlerFixture();
  const blob = noise(10);
  const cas = `/cas/${digestHex(digestOf(blob))}`;
  const kinds: ErrorKind[] = ["corrupt", "unavailable", "timeout", "internal"];
  let masked = 0;
  for (const kind of kinds) {
    for (const target of [cas, cas.replace("cas", "ac"), CCACHE]) {
      for (const method of ["GET", "HEAD"]) {
        server.cache.fault = () => new CacheError(kind, "Cannot read: a secret path");
        const answer = await server.send(method, target);
        assert.equal(answer.status, 404, `${kind} ${target}`);
        assert.equal(answer.headers.get("vitte-miss-reason"), kind);
        assert.equal(answer.headers.get("retry-after"), null);
        assert.equal(server.counters.get("masked_errors"), ++masked);
        assert.equal(server.events.at(-1)?.outcome, "masked");
        assert.equal(server.events.at(-1)?.error?.kind, kind);
      }
    }
  }
  server.cache.fault = () => undefined;
  const miss = await server.send("GET", cas);
  assert.deepEqual([miss.status, miss.headers.get("vitte-miss-reason")], [404, null]);
  assert.equal(server.counters.get("masked_errors"), masked);
});

Deno.test("adapters show errors of writers as they are", async () => {
  await using server = createHandlerFixture();
  const wanted: [ErrorKind, number, string | null][] = [
    ["quota_exceeded", 507, "60"],
    ["unavailable", 503, "1"],
    ["timeout", 504, "1"],
    ["internal", 500, null],
    ["conflict", 409, null],
  ];
  for (const [kind, status, retryAfter] of wanted) {
    server.cache.fault = () => new CacheError(kind, "Cannot write");
    for (const target of [`/cas/${"b".repeat(64)}`, CCACHE, "/v1/entries/k"]) {
      const answer = await server.send("PUT", target, { body: "x" });
      assert.equal(answer.status, status, `${kind} ${target}`);
      assert.equal(answer.headers.get("retry-after"), retryAfter);
    }
  }
});

Deno.test("what go-cacher puts is 204 whatever the cache's state, and counted as masked", async () => {
  await using server = createHandlerFixture();
  const body = noise(10);
  const output = digestHex(digestOf(body));
  const target = `/go/${"a".repeat(64)}/${output}`;
  const kinds: ErrorKind[] = ["quota_exceeded", "unavailable", "timeout", "internal", "too_large"];
  for (const [n, kind] of kinds.entries()) {
    server.cache.fault = () => new CacheError(kind, "Cannot write");
    const answer = await server.send("PUT", target, { body });
    assert.deepEqual([answer.status, answer.text], [204, ""], kind);
    assert.equal(answer.headers.get("vitte-miss-reason"), kind);
    assert.equal(answer.headers.get("retry-after"), null);
    assert.equal(server.counters.get("masked_errors"), n + 1);
    assert.equal(server.events.at(-1)?.outcome, "masked");
    assert.equal(server.events.at(-1)?.error?.kind, kind);
  }
  server.cache.fault = () => undefined;
  const dropped = await server.send("PUT", target, { body, as: "reader" });
  assert.equal(dropped.status, 204);
  assert.equal(dropped.headers.get("vitte-miss-reason"), "token_read_only");
  assert.equal((await server.send("GET", `/go/output/${output}`)).status, 404);
  assert.equal((await server.send("PUT", target, { body, as: null })).status, 401);
});

Deno.test("the native API tells an ill cache from a miss; damage is a miss", async () => {
  await using server = createHandlerFixture();
  const wanted: [ErrorKind, number][] = [["corrupt", 404], ["unavailable", 503], ["timeout", 504]];
  for (const [kind, status] of wanted) {
    server.cache.fault = () => new CacheError(kind, "Cannot read");
    const answer = await server.send("GET", "/v1/entries/k");
    assert.equal(answer.status, status);
    assert.equal(JSON.parse(answer.text).kind, kind);
  }
});

Deno.test("an internal error shows no detail, the log has it under the same id", async () => {
  await using server = createHandlerFixture();
  server.cache.fault = () => {
    throw new TypeError("secret detail");
  };
  const answer = await server.send("GET", "/v1/entries/k");
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.text, /secret/);
  const event = server.events.at(-1)!;
  assert.equal(event.id, answer.headers.get("vitte-request-id"));
  assert.match(event.error?.message ?? "", /secret detail/);
});

Deno.test("public namespaces may be read by adapters without a token, and nothing else", async () => {
  await using server = createHandlerFixture({ publicRead: new Set(["default"]) });
  const body = noise(5);
  const cas = `/cas/${digestHex(digestOf(body))}`;
  await server.send("PUT", cas, { body });
  const as = null;
  assert.equal((await server.send("GET", cas, { as })).status, 200);
  assert.equal((await server.send("HEAD", cas, { as })).status, 200);
  assert.equal((await server.send("GET", CCACHE, { as })).status, 404);
  assert.equal(server.events.at(-1)?.principal, "public");
  const refused: [string, string, Record<string, string>][] = [
    ["PUT", cas, {}],
    ["DELETE", CCACHE, {}],
    ["GET", `/ns/team-a${cas}`, {}],
    ["GET", placeOf(body), {}],
    ["GET", "/v1/entries/k", {}],
    ["GET", "/status", {}],
    ["GET", cas, { authorization: "Bearer wrong" }],
    ["GET", cas, { authorization: "Bearer t-expired" }],
  ];
  for (const [method, target, headers] of refused) {
    const answer = await server.send(method, target, { as, headers });
    assert.equal(answer.status, 401, `${method} ${target}`);
  }
});

Deno.test("expired and revoked tokens are told so, unknown ones only that they are not valid", async () => {
  await using server = createHandlerFixture();
  const wanted: [string, RegExp][] = [
    ["Bearer t-expired", /expired/],
    ["Bearer t-revoked", /revoked/],
    ["Bearer other", /not valid/],
    ["nonsense", /not valid/],
  ];
  for (const [authorization, detail] of wanted) {
    const answer = await server.send("GET", "/v1/whoami", { headers: { authorization } });
    assert.equal(answer.status, 401);
    assert.match(JSON.parse(answer.text).detail, detail);
  }
});

Deno.test("the log has one line a request, without header, query or token", async () => {
  await using server = createHandlerFixture();
  const body = noise(7);
  await server.send("PUT", `${placeOf(body)}?secret=query`, {
    body,
    headers: { "x-h": "secret header" },
  });
  await server.send("GET", `/cas/${digestHex(digestOf(body))}`);
  await server.send("GET", "/v1/entries/none");
  await server.send("GET", "/v1/entries/../x");
  assert.equal(server.events.length, 4);
  const text = JSON.stringify(server.events);
  assert.doesNotMatch(text, /secret|Bearer|t-writer/);
  const [put, get, miss, bad] = server.events;
  assert.deepEqual(
    [put?.route, put?.tool, put?.principal, put?.namespace, put?.bytesReceived, put?.status],
    ["blob", "native", "writer", "default", 7, 201],
  );
  assert.equal(put?.digest, digestHex(digestOf(body)).slice(0, 12));
  assert.deepEqual([get?.route, get?.tool, get?.outcome, get?.bytesSent], [
    "bazel.cas",
    "bazel",
    "hit",
    7,
  ]);
  assert.equal(miss?.outcome, "miss");
  assert.deepEqual([bad?.route, bad?.outcome, bad?.status], ["unknown", "error", 400]);
  assert.equal(new Set(server.events.map(({ id }) => id)).size, 4);
  assert.equal(server.counters.get("requests"), 4);
  assert.equal(server.counters.get("bytes_received"), 7);
  assert.ok(Object.values(TOKENS).every((token) => !text.includes(token)));
});
