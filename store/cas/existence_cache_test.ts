import assert from "node:assert/strict";
import { digestOf } from "../../core/digest.ts";
import { text } from "../../test/suites/object_store_asks.ts";
import { ExistenceCache } from "./existence_cache.ts";

const [A, B, C] = ["a", "b", "c"].map((name) => digestOf(text(name))) as [never, never, never];

Deno.test("ExistenceCache forgets everything when anything was lost", () => {
  let losses = 0;
  const cache = new ExistenceCache(() => losses);
  cache.add(A, 0);
  assert.ok(cache.has(A));
  assert.ok(!cache.has(B));
  losses++;
  assert.ok(!cache.has(A));
  assert.equal(cache.size, 0);
});

Deno.test("ExistenceCache does not remember what was seen before a loss", () => {
  let losses = 0;
  const cache = new ExistenceCache(() => losses);
  losses = 1;
  cache.add(A, 0);
  assert.ok(!cache.has(A));
  cache.add(A, 1);
  assert.ok(cache.has(A));
});

Deno.test("ExistenceCache holds at most so many, the oldest goes", () => {
  const cache = new ExistenceCache(() => 0, 2);
  for (const digest of [A, B, C]) cache.add(digest, 0);
  assert.deepEqual([A, B, C].map((digest) => cache.has(digest)), [false, true, true]);
  assert.equal(cache.size, 2);
});
