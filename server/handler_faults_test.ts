import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { ManualClock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import { digestHex, digestOf } from "../core/digest.ts";
import type { ErrorKind } from "../core/errors.ts";
import { CacheError } from "../core/errors.ts";
import {
  ADMISSION_WAIT_MS,
  BODY_IDLE_MS,
  MAX_BYTES_IN_FLIGHT,
  RESPONSE_STALL_MS,
} from "../core/limits.ts";
import { createHandlerFixture, REMOTE, request, TOKENS } from "../test/helpers/http_fixture.ts";
import type { FixtureOptions, HandlerFixture } from "../test/helpers/http_fixture.ts";
import { noise, placeOf } from "../test/suites/http_api_blobs.ts";
import { ADAPTERS } from "./adapters/adapter_list.ts";

const CCACHE = "/" + "0123456789".repeat(4);

/** A PUT whose body the test feeds by hand. */
function openPut(server: HandlerFixture, target: string, headers: Record<string, string> = {}) {
  let controller: ReadableStreamDefaultController<Bytes> | undefined;
  let pulled = 0;
  let cancelled = false;
  const body = new ReadableStream<Bytes>({
    start(given) {
      controller = given;
    },
    pull() {
      pulled++;
    },
    cancel() {
      cancelled = true;
    },
  }, { highWaterMark: 0 });
  const made = request("PUT", target, { headers });
  const incoming = new Proxy(made, {
    get(inner, name) {
      if (name === "body") return body;
      const value = Reflect.get(inner, name, inner);
      return typeof value === "function" ? value.bind(inner) : value;
    },
  });
  const answer = Promise.resolve(server.handler(incoming, REMOTE));
  return {
    answer,
    body: controller!,
    get pulled() {
      return pulled;
    },
    get cancelled() {
      return cancelled;
    },
  };
}

/** Lets everything that is ready happen. */
async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

async function atClock(
  run: (clock: ManualClock, server: HandlerFixture) => Promise<void>,
  options: FixtureOptions = {},
) {
  const clock = new ManualClock();
  await using server = createHandlerFixture({ clock, ...options });
  await run(clock, server);
  await settle();
  assert.equal(clock.sleeping, 0, "a timer is left over");
  assert.equal(server.counters.get("bytes_in_flight"), 0);
}

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
  const wanted: [ErrorKind, number][] = [
    ["quota_exceeded", 507],
    ["unavailable", 503],
    ["timeout", 504],
    ["internal", 500],
    ["conflict", 409],
  ];
  for (const [kind, status] of wanted) {
    server.cache.fault = () => new CacheError(kind, "Cannot write");
    for (const target of [`/cas/${"b".repeat(64)}`, CCACHE, "/v1/entries/k"]) {
      const answer = await server.send("PUT", target, { body: "x" });
      assert.equal(answer.status, status, `${kind} ${target}`);
      assert.equal(
        answer.headers.get("retry-after"),
        status === 503 || status === 504 ? "1" : null,
      );
    }
  }
});

Deno.test("miss tables only ever hide errors of reads, and never a refusal", () => {
  for (const { routes } of ADAPTERS) {
    for (const { misses, name } of routes) {
      if (!misses) continue;
      assert.deepEqual(misses.write, {}, name);
      for (const [kind, status] of Object.entries(misses.read)) {
        assert.equal(status, 404);
        assert.ok(
          !["unauthenticated", "permission_denied", "invalid_argument"].includes(kind),
          kind,
        );
      }
    }
  }
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

Deno.test("nothing of a body is read before the token is checked, nor when it is refused", async () => {
  await using server = createHandlerFixture({ limits: { maxBlobSize: 1000, maxSize: 0 } });
  const refused: [Record<string, string>, string, number][] = [
    [{ authorization: "Bearer wrong" }, "/v1/entries/k", 401],
    [{ authorization: "Bearer t-reader" }, "/v1/entries/k", 403],
    [{ host: "evil.example" }, "/v1/entries/k", 421],
    [{ origin: "http://evil.example" }, "/v1/entries/k", 403],
    [{}, "/v1/entries/..", 400],
    [{}, "/v1/nothing", 404],
    [{}, "/v1/stats", 405],
    [{ "content-length": "1001" }, "/v1/entries/k", 413],
    [{ "content-length": "1001" }, `/cas/${"b".repeat(64)}`, 413],
    [{ "content-length": "x" }, "/v1/entries/k", 400],
    [{ "content-length": "-1" }, "/v1/entries/k", 400],
    [{ "content-length": "1e3" }, "/v1/entries/k", 400],
    [{ "content-encoding": "br" }, "/v1/entries/k", 415],
    [{ "x-digest-sizebytes": "9999" }, `/cas/${"b".repeat(64)}`, 413],
  ];
  for (const [headers, target, status] of refused) {
    const put = openPut(server, target, headers);
    const answer = await put.answer;
    assert.equal(answer.status, status, target);
    assert.equal(put.pulled, 0, `${status} read the body`);
    await answer.body?.cancel();
  }
});

Deno.test("a body above the limit is 413, by its length or while it is read, a bomb too", async () => {
  await using server = createHandlerFixture({ limits: { maxBlobSize: 100_000, maxSize: 0 } });
  const large = noise(100_001);
  for (const target of ["/v1/entries/k", placeOf(large), CCACHE]) {
    for (const chunked of [false, true]) {
      const answer = await server.send("PUT", target, { body: large, chunked });
      assert.equal(answer.status, 413, answer.text);
      assert.match(JSON.parse(answer.text).detail, /100000/);
    }
  }
  const bomb = new Uint8Array(zstdCompressSync(new Uint8Array(64 * 1024 * 1024)));
  assert.ok(bomb.length < 10_000);
  const headers = { "content-encoding": "zstd" };
  for (const target of ["/v1/entries/k", `/cas/${"b".repeat(64)}`, CCACHE]) {
    for (const chunked of [false, true]) {
      const answer = await server.send("PUT", target, { body: bomb, headers, chunked });
      assert.equal(answer.status, 413, answer.text);
    }
  }
  assert.equal((await server.send("PUT", "/v1/entries/k", { body: noise(100_000) })).status, 201);
  assert.equal(server.counters.get("bytes_in_flight"), 0);
});

Deno.test("a length that the body does not keep is 400", async () => {
  for (const length of ["4", "6", "2000000"]) {
    await using server = createHandlerFixture();
    const put = openPut(server, "/v1/entries/k", { "content-length": length });
    put.body.enqueue(new Uint8Array(5));
    put.body.close();
    assert.equal((await put.answer).status, 400, length);
    assert.equal((await server.send("GET", "/v1/entries/k")).status, 404);
  }
});

Deno.test("a client gone in an upload is 499 in the log and keeps nothing", async () => {
  for (const length of ["100", "2000000", undefined]) {
    await using server = createHandlerFixture();
    const put = openPut(server, "/v1/entries/k", length ? { "content-length": length } : {});
    put.body.enqueue(new Uint8Array(50));
    await settle();
    put.body.error(new Deno.errors.BadResource("Bad resource ID"));
    assert.equal((await put.answer).status, 499);
    const event = server.events.at(-1)!;
    assert.deepEqual([event.status, event.outcome, event.bytesReceived], [499, "cancelled", 50]);
    assert.equal(server.counters.get("uploads_aborted"), 1);
    assert.equal(server.counters.get("bytes_in_flight"), 0);
    assert.equal((await server.send("GET", "/v1/entries/k")).status, 404);
  }
});

Deno.test("a body that stands still is given up with 408, one that trickles is not", async () => {
  for (const length of ["100", undefined]) {
    await atClock(async (clock, server) => {
      const put = openPut(server, "/v1/entries/k", length ? { "content-length": length } : {});
      for (let n = 0; n < 4; n++) {
        await settle();
        clock.advance(BODY_IDLE_MS - 1);
        put.body.enqueue(new Uint8Array(10));
      }
      await settle();
      clock.advance(BODY_IDLE_MS - 1);
      await settle();
      assert.equal(put.cancelled, false);
      clock.advance(1);
      await settle();
      clock.advance(BODY_IDLE_MS);
      const answer = await put.answer;
      assert.equal(answer.status, 408);
      assert.equal(put.cancelled, true);
      await answer.body?.cancel();
    });
  }
});

Deno.test("an answer that nobody reads is broken off, its body cancelled", async () => {
  await atClock(async (clock, server) => {
    await server.send("PUT", "/v1/entries/k", { body: noise(1_000_000) });
    const answer = await server.handler(request("GET", "/v1/entries/k"), REMOTE);
    const reader = answer.body!.getReader();
    await reader.read();
    await settle();
    clock.advance(RESPONSE_STALL_MS - 1);
    await settle();
    await reader.read();
    await settle();
    clock.advance(RESPONSE_STALL_MS - 1);
    await settle();
    assert.equal(server.cache.openStreams, 1);
    clock.advance(RESPONSE_STALL_MS);
    await settle();
    assert.equal(server.cache.openStreams, 0);
    await assert.rejects(reader.read(), /nobody reads/);
    assert.equal(server.events.at(-1)?.outcome, "error");
    assert.ok(server.events.at(-1)!.bytesSent < 1_000_000);
  }, { smallBytes: 1000 });
});

Deno.test("a client gone in a download cancels the body and is cancelled in the log", async () => {
  await atClock(async (_clock, server) => {
    const body = noise(1_000_000);
    await server.send("PUT", placeOf(body), { body });
    for (const headers of [{}, { range: "bytes=1-900000" }]) {
      const answer = await server.handler(request("GET", placeOf(body), { headers }), REMOTE);
      const reader = answer.body!.getReader();
      await reader.read();
      await reader.cancel("gone");
      assert.equal(server.cache.openStreams, 0);
      assert.equal(server.events.at(-1)?.outcome, "cancelled");
    }
    const zstd = { "accept-encoding": "zstd" };
    const target = `/cas/${digestHex(digestOf(body))}`;
    const answer = await server.handler(request("GET", target, { headers: zstd }), REMOTE);
    await answer.body!.cancel();
    assert.equal(server.cache.openStreams, 0);
    const head = await server.send("HEAD", placeOf(body));
    assert.equal(head.status, 200);
    assert.equal(server.cache.openStreams, 0);
  }, { smallBytes: 1000 });
});

Deno.test("uploads wait for room in flight, then are sent away to try again", async () => {
  await atClock(async (clock, server) => {
    server.counters.set("bytes_in_flight", MAX_BYTES_IN_FLIGHT);
    const first = Promise.resolve(
      server.handler(request("PUT", "/v1/entries/k", { body: "x" }), REMOTE),
    );
    await settle();
    assert.equal(clock.sleeping, 1);
    server.counters.add("bytes_in_flight", -100);
    clock.advance(10);
    assert.equal((await first).status, 201);
    server.counters.set("bytes_in_flight", MAX_BYTES_IN_FLIGHT);
    const second = Promise.resolve(
      server.handler(request("PUT", "/v1/entries/k", { body: "x" }), REMOTE),
    );
    for (let waited = 0; waited <= ADMISSION_WAIT_MS; waited += 10) {
      await settle();
      clock.advance(10);
    }
    const answer = await second;
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "1"]);
    server.counters.set("bytes_in_flight", 0);
  });
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

Deno.test("a body that ends early breaks the answer instead of ending it", async () => {
  await using server = createHandlerFixture({ smallBytes: 10 });
  const body = noise(1000);
  await server.send("PUT", placeOf(body), { body });
  const blobs = server.cache.blobs;
  server.cache.blobs = (namespace) => {
    const inner = blobs(namespace);
    return {
      ...inner,
      async get() {
        const short = await inner.get(digestOf(body), { range: { start: 0, end: 500 } });
        return short && { ...short, size: 1000, stream: () => short.stream() };
      },
    };
  };
  const answer = await server.handler(request("GET", placeOf(body)), REMOTE);
  await assert.rejects(answer.arrayBuffer(), /500 bytes, want 1000/);
  assert.equal(server.events.at(-1)?.outcome, "error");
});

Deno.test("a slow store is not the client's fault: its time does not count", async () => {
  await atClock(async (clock, server) => {
    const { promise: ready, resolve: goOn } = Promise.withResolvers<void>();
    const { put: inner } = server.cache;
    server.cache.put = async (draft, source, options) => {
      const reader = source.open().getReader();
      const first = await reader.read();
      await ready;
      const second = await reader.read();
      await reader.cancel();
      const bytes = new Uint8Array([...first.value!, ...second.value!]);
      return await inner(draft, {
        size: 2,
        replayable: true,
        bytes,
        open: () => new Blob([bytes]).stream(),
      }, options);
    };
    const put = openPut(server, "/v1/entries/k");
    put.body.enqueue(new Uint8Array(1));
    put.body.enqueue(new Uint8Array(1));
    await settle();
    clock.advance(BODY_IDLE_MS * 2);
    await settle();
    goOn();
    const answer = await put.answer;
    assert.equal(answer.status, 201);
    await answer.body?.cancel();
  });
});
