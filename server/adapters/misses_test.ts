/**
 * What each tool is shown when something is wrong, and why: a real client takes what stands in
 * these tables without failing its build.
 */
import assert from "node:assert/strict";
import type { MaskedCounts } from "../../core/counters.ts";
import { digestHex, digestOf } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { ADMISSION_WAIT_MS, MAX_BYTES_IN_FLIGHT } from "../../core/limits.ts";
import type { Tool } from "../../core/tools.ts";
import { TROUBLES } from "../../core/trouble.ts";
import { createHandlerFixture, REMOTE, request } from "../../test/helpers/http_fixture.ts";
import type { HandlerFixture } from "../../test/helpers/http_fixture.ts";
import { atClock, settle } from "../../test/helpers/transfers.ts";
import { ADAPTERS } from "./adapter_list.ts";

/** SHA-256 of `x`, the body of every PUT here. */
const GO_OUTPUT = digestHex(digestOf(new TextEncoder().encode("x")));
/** A place of each route, and its methods. */
const PLACES: Readonly<Record<string, readonly [target: string, body?: string]>> = {
  "bazel.ac": [`/bazel/ac/${"a".repeat(64)}`],
  "bazel.cas": [`/bazel/cas/${"a".repeat(64)}`],
  "ccache.entry": [`/ccache/${"a".repeat(40)}`],
  "gradle.entry": [`/gradle/${"a".repeat(32)}`],
  "maven.file": [`/maven/v1.2/g/a/${"a".repeat(16)}/buildinfo.xml`],
  "turborepo.artifact": ["/v8/artifacts/1"],
  "turborepo.artifacts": ["/v8/artifacts", '{"hashes":["1"]}'],
  "nx.entry": ["/nx/v1/cache/1"],
  "rush.entry": ["/rush/k"],
  "please.entry": ["/please/k"],
  "metro.entry": ["/metro/k"],
  "plain.entry": ["/plain/k"],
  "go.action": [`/go/action/${"a".repeat(64)}`],
  "go.output": [`/go/output/${"a".repeat(64)}`],
  "go.put": [`/go/${"a".repeat(64)}/${GO_OUTPUT}`],
};

/** Columns: corrupt, unavailable, timeout, rate_limited, quota_exceeded, internal. */
const KINDS = [
  "corrupt",
  "unavailable",
  "timeout",
  "rate_limited",
  "quota_exceeded",
  "internal",
] as const;
const HIDDEN = `
bazel.ac            GET    404 404 404 404 404 404
bazel.cas           GET    404 404 404 404 404 404
ccache.entry        GET    404 404 404 404 404 404
gradle.entry        GET    404 404 404 404 404 404
gradle.entry        PUT    200 200 200 200 200 200
maven.file          GET    404 404 404 404 404 404
maven.file          PUT    500 500 500 500 500 500
turborepo.artifact  GET    404 404 404 404 404 404
turborepo.artifact  PUT    412 412 412 412 412 412
turborepo.artifacts POST   412 412 412 412 412 412
nx.entry            GET    404 404 404 404 404 404
nx.entry            PUT    403 403 403 403 403 403
rush.entry          GET    404 404 404 404 404 404
rush.entry          PUT    200 200 200 200 200 200
please.entry        GET    404 404 404 404 404 404
please.entry        PUT    200 200 200 200 200 200
metro.entry         GET    404 404 404 404 404 404
metro.entry         PUT    200 200 200 200 200 200
plain.entry         GET    404 404 404 404 404 404
plain.entry         PUT    200 200 200 200 200 200
go.action           GET    404 404 404 404 404 404
go.output           GET    404 404 404 404 404 404
go.put              PUT    204 204 204 204 204 204
`;
/** What is shown as it is. */
const SHOWN = `
bazel.cas           PUT    404 503 504 429 507 500
ccache.entry        PUT    404 503 504 429 507 500
ccache.entry        DELETE 404 503 504 429 507 500
`;

/** PUT of what is above the limit. */
const TOO_LARGE = `
bazel.cas 413
ccache.entry 413
gradle.entry 413
maven.file 413
turborepo.artifact 413
nx.entry 403
rush.entry 200
please.entry 200
metro.entry 200
plain.entry 200
`;

function rows(table: string): string[][] {
  return table.trim().split("\n").map((line) => line.split(/ +/));
}

function place(route = ""): readonly [target: string, body?: string] {
  const found = PLACES[route];
  assert.ok(found, route);
  return found;
}

async function askIll(server: HandlerFixture, [route, method = ""]: string[], kind: ErrorKind) {
  server.cache.fault = () => new CacheError(kind, "Cannot do it: a secret path");
  const [target, body = "x"] = place(route);
  const headers = method === "POST" ? { "content-type": "application/json" } : {};
  const answer = await server.send(method, target, {
    ...(method === "PUT" || method === "POST" ? { body, headers } : {}),
  });
  server.cache.fault = () => undefined;
  return answer;
}

Deno.test("each tool is shown an ill cache as its table says, and it is counted", async () => {
  await using server = createHandlerFixture();
  let masked = 0;
  const times: MaskedCounts = {};
  for (const row of rows(HIDDEN)) {
    const [route = "", method = "", ...statuses] = row;
    const counted = times[route.split(".")[0] as Tool] ??= {};
    for (const [n, kind] of KINDS.entries()) {
      const answer = await askIll(server, row, kind);
      const what = `${method} ${route} ${kind}`;
      assert.equal(answer.status, Number(statuses[n]), what);
      assert.equal(answer.headers.get("vitte-miss-reason"), kind, what);
      assert.equal(answer.headers.get("retry-after"), null, what);
      if (answer.status < 400) assert.equal(answer.text, "", what);
      const event = server.events.at(-1);
      assert.deepEqual([event?.outcome, event?.error?.kind], ["masked", kind], what);
      assert.equal(server.counters.get("masked_errors"), ++masked, what);
      counted[kind] = (counted[kind] ?? 0) + 1;
    }
  }
  assert.deepEqual(server.counters.masked(), times);
});

Deno.test("writers of Bazel and ccache see what is wrong", async () => {
  await using server = createHandlerFixture();
  for (const row of rows(SHOWN)) {
    const [route = "", method = "", ...statuses] = row;
    for (const [n, kind] of KINDS.entries()) {
      const answer = await askIll(server, row, kind);
      assert.equal(answer.status, Number(statuses[n]), `${method} ${route} ${kind}`);
      assert.equal(answer.headers.get("vitte-miss-reason"), null, `${method} ${route} ${kind}`);
    }
  }
  assert.deepEqual(server.counters.masked(), {});
});

Deno.test("what is too large is refused or dropped as the tool needs it, and never stored", async () => {
  await using server = createHandlerFixture({ limits: { maxBlobSize: 1000, maxSize: 0 } });
  for (const [route = "", status] of rows(TOO_LARGE)) {
    const [target] = place(route);
    for (const chunked of [false, true]) {
      const answer = await server.send("PUT", target, { body: "x".repeat(300_000), chunked });
      assert.equal(answer.status, Number(status), `${route} ${chunked ? "chunked" : ""}`);
      const reason = answer.headers.get("vitte-miss-reason");
      assert.equal(reason, answer.status === 413 ? null : "too_large", route);
      assert.equal((await server.send("GET", target)).status, 404, route);
    }
    assert.equal(server.counters.get("bytes_in_flight"), 0);
  }
});

Deno.test("no table hides a refusal, and every table has a test", () => {
  const routes = ADAPTERS.flatMap((adapter) => adapter.routes).filter((route) => route.misses);
  for (const { misses, name, tool } of routes) {
    for (const [trouble, status] of Object.entries(misses?.read ?? {})) {
      assert.equal(status, 404, name);
      assert.notEqual(trouble, "token_read_only", name);
      assert.ok(TROUBLES.some((known) => known === trouble), trouble);
    }
    for (const status of Object.values(misses?.write ?? {})) {
      assert.ok([200, 204, 403, 412, 500].includes(status), name);
    }
    // What only some tools would fail over is not hidden from the others.
    const ended = misses?.read.token_expired !== undefined;
    assert.equal(ended, ["nx", "rush", "please", "metro", "plain"].includes(tool), name);
    const tested = PLACES[name] ??
      ["turborepo.status", "turborepo.events"].find((one) => one === name);
    assert.ok(tested, name);
  }
});

Deno.test("a token that ends within two weeks is told on every answer", async () => {
  const day = 86_400_000;
  for (const [left, told] of [[13 * day, true], [15 * day, false], [undefined, false]] as const) {
    const expires = left === undefined ? undefined : 1_000_000 + left;
    await using server = createHandlerFixture({
      clock: { now: () => 1_000_000, monotonic: () => 0, sleep: () => Promise.resolve() },
      authenticate: () => ({
        principal: {
          id: "0",
          name: "soon",
          verbs: ["read", "write"],
          namespaces: ["default"],
          scope: "main",
          readScopes: ["main"],
          expires,
        },
      }),
    });
    for (const target of ["/nx/v1/cache/1", "/v1/whoami", "/nothing"]) {
      const answer = await server.send("GET", target);
      assert.equal(answer.headers.get("vitte-token-expires"), told ? `${expires}` : null);
    }
  }
});

Deno.test("too many uploads at a time fail no build: dropped, 403 or 412, without Retry-After", async () => {
  const wanted = { "gradle.entry": 200, "rush.entry": 200, "nx.entry": 403, "maven.file": 500 };
  for (const [route, status] of [...Object.entries(wanted), ["turborepo.artifact", 412]] as const) {
    await atClock(async (clock, server) => {
      server.counters.set("bytes_in_flight", MAX_BYTES_IN_FLIGHT);
      const [target] = place(route);
      const asked = server.handler(request("PUT", target, { body: "x" }), REMOTE);
      for (let waited = 0; waited <= ADMISSION_WAIT_MS; waited += 10) {
        await settle();
        clock.advance(10);
      }
      const answer = await asked;
      assert.equal(answer.status, status, route);
      assert.equal(answer.headers.get("vitte-miss-reason"), "unavailable");
      assert.equal(answer.headers.get("retry-after"), null);
      await answer.body?.cancel();
      server.counters.set("bytes_in_flight", 0);
    });
  }
});
