import assert from "node:assert/strict";
import fc from "fast-check";
import { isKind } from "../core/errors.ts";
import type { SessionRequest } from "./prologue.ts";
import { buildPrologue } from "./prologue.ts";

const REQUEST: SessionRequest = {
  version: 1,
  capabilities: ["zstd", "riblt-2"],
  host: "Cache.example:8080",
  path: "/v1/session",
  tokenId: "0123456789abcdef",
};

Deno.test("buildPrologue() makes these bytes", () => {
  const text = (part: string) => String.fromCharCode(part.length, 0) + part;
  const want = text("vitte sync") + "\x01\0" + "\x02\0" + text("zstd") + text("riblt-2") +
    text("cache.example:8080") + text("/v1/session") + text("0123456789abcdef");
  assert.equal(new TextDecoder().decode(buildPrologue(REQUEST)), want);
});

Deno.test("buildPrologue() never gives two requests the same bytes", () => {
  const word = fc.stringMatching(/^[a-z0-9-]{1,4}$/);
  const request = fc.record({
    version: fc.integer({ min: 1, max: 300 }),
    capabilities: fc.uniqueArray(word, { maxLength: 4 }),
    host: word,
    path: word.map((text) => `/${text}`),
    tokenId: fc.constantFrom("0".repeat(16), "1".repeat(16)),
  });
  fc.assert(fc.property(request, request, (one, other) => {
    fc.pre(JSON.stringify(one) !== JSON.stringify(other));
    assert.notEqual(buildPrologue(one).toHex(), buildPrologue(other).toHex());
  }));
});

Deno.test("buildPrologue() refuses what no request of a session can say", () => {
  const bad: Partial<SessionRequest>[] = [
    ...[0, 65_536, 1.5, NaN].map((version) => ({ version })),
    ...["", "0123456789ABCDEF", "0123456789abcde", "0".repeat(17)].map((tokenId) => ({ tokenId })),
    ...["", "a b", "é", "a\n", "h".repeat(260)].map((host) => ({ host })),
    ...["", "v1", "/a b", "/\0", "/" + "p".repeat(8192)].map((path) => ({ path })),
    ...[[""], ["A"], ["a", "a"], ["a,b"], ["c".repeat(33)], Array.from({ length: 33 }, String)]
      .map((capabilities) => ({ capabilities })),
  ];
  for (const change of bad) {
    assert.throws(
      () => buildPrologue({ ...REQUEST, ...change }),
      (thrown) => isKind(thrown, "invalid_argument"),
      JSON.stringify(change).slice(0, 80),
    );
  }
});
