import assert from "node:assert/strict";
import { MAX_ANSWER_BYTES, RESPONSE_STALL_MS, WHOLE_ANSWER_BYTES } from "../core/limits.ts";
import { createHandlerFixture, REMOTE, request } from "../test/helpers/http_fixture.ts";
import { atClock, settle } from "../test/helpers/transfers.ts";
import type { HttpQuestion } from "../test/suites/http_api.ts";
import { noise } from "../test/suites/http_api_blobs.ts";

const CCACHE = "/" + "0123456789".repeat(4);

Deno.test("a connection is ended where its answer is broken off, not where the client left", async () => {
  for (const leaves of [false, true]) {
    await atClock(async (clock, server) => {
      await server.send("PUT", "/v1/entries/k", { body: noise(1_000_000) });
      let ended = 0;
      const origin = { ...REMOTE, abandon: () => void ended++ };
      const answer = await server.handler(request("GET", "/v1/entries/k"), origin);
      const reader = answer.body!.getReader();
      await reader.read();
      await settle();
      if (leaves) await reader.cancel();
      else clock.advance(RESPONSE_STALL_MS);
      await settle();
      assert.equal(ended, leaves ? 0 : 1);
      assert.equal(server.counters.get("answer_bytes"), 0);
    });
  }
});

Deno.test("a stranger is who has no good token, whatever it was answered", async () => {
  await using server = createHandlerFixture({ publicRead: new Set(["default"]) });
  const cas = `/cas/${"b".repeat(64)}`;
  const cases: [string, string, HttpQuestion, boolean][] = [
    ["GET", "/v1/entries/none", {}, false],
    ["GET", cas, { as: null }, false],
    ["PUT", cas, { as: null }, true],
    ["GET", "/readyz", { as: null }, true],
    ["GET", cas, { headers: { authorization: "Bearer t-expired" } }, true],
    ["GET", cas, { headers: { host: "evil.example" } }, true],
  ];
  for (const [method, target, question, stranger] of cases) {
    const origin = { ...REMOTE, stranger: false };
    const answer = await server.handler(request(method, target, question), origin);
    await answer.body?.cancel();
    assert.equal(origin.stranger, stranger, `${method} ${target}`);
  }
});

Deno.test("downloads that would hold too much are sent away to try again, small ones are not", async () => {
  await using server = createHandlerFixture();
  await server.send("PUT", "/v1/entries/small", { body: noise(WHOLE_ANSWER_BYTES) });
  await server.send("PUT", "/v1/entries/large", { body: noise(WHOLE_ANSWER_BYTES + 1) });
  await server.send("PUT", CCACHE, { body: noise(WHOLE_ANSWER_BYTES + 1) });
  server.counters.set("answer_bytes", MAX_ANSWER_BYTES - 1000);
  assert.equal((await server.send("GET", "/v1/entries/small")).status, 200);
  const refused = await server.send("GET", "/v1/entries/large");
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assert.equal((await server.send("HEAD", "/v1/entries/large")).status, 200);
  const miss = await server.send("GET", CCACHE);
  assert.deepEqual([miss.status, miss.headers.get("vitte-miss-reason")], [404, "unavailable"]);
  assert.equal(server.cache.openStreams, 0);
  server.counters.set("answer_bytes", 0);
  assert.equal((await server.send("GET", "/v1/entries/large")).status, 200);
  assert.equal(server.counters.get("answer_bytes"), 0);
});
