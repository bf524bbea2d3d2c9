import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { digestHex, digestOf } from "../core/digest.ts";
import {
  ADMISSION_WAIT_MS,
  BODY_IDLE_MS,
  MAX_BYTES_IN_FLIGHT,
  RESPONSE_STALL_MS,
} from "../core/limits.ts";
import { createHandlerFixture, REMOTE, request } from "../test/helpers/http_fixture.ts";
import { atClock, openPut, settle } from "../test/helpers/transfers.ts";
import { noise, placeOf } from "../test/suites/http_api_blobs.ts";

const CCACHE = "/" + "0123456789".repeat(4);

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

Deno.test("a body above what the whole store may take is 413, and the store is not asked", async () => {
  await using server = createHandlerFixture({ limits: { maxBlobSize: 100_000, maxSize: 1000 } });
  const { status } = await server.send("PUT", "/v1/entries/k", { body: noise(1001) });
  assert.equal(status, 413);
  assert.equal(server.cache.calls.get("put"), undefined);
  assert.equal((await server.send("PUT", "/v1/entries/k", { body: noise(1000) })).status, 201);
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
