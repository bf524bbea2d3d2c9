import assert from "node:assert/strict";
import { batchesOf, BLOB_HEAD_BYTES, checkBatch } from "./blob_batches.ts";
import { isKind } from "./errors.ts";
import { MAX_BATCH_BLOBS, MAX_BATCH_BYTES, MAX_CHUNK_BYTES } from "./limits.ts";

Deno.test("batchesOf() keeps order and every batch within its limits", () => {
  const sizes = Array.from({ length: 10_000 }, (_, n) => (n * 7919) % MAX_CHUNK_BYTES);
  sizes.push(...Array.from({ length: 3 * MAX_BATCH_BLOBS }, () => 0));
  const batches = [...batchesOf(sizes, (size) => size)];
  assert.deepEqual(batches.flat(), sizes);
  for (const batch of batches) checkBatch(batch);
  for (const [n, batch] of batches.entries()) {
    const next = batches[n + 1]?.[0];
    if (next === undefined) continue;
    const grown = [...batch, next];
    assert.throws(
      () => checkBatch(grown),
      (thrown) => isKind(thrown, "too_large"),
      "none is small",
    );
  }
});

Deno.test("checkBatch() takes the largest batch and nothing above it", () => {
  checkBatch([]);
  checkBatch(Array.from({ length: MAX_BATCH_BLOBS }, () => 1));
  const whole = MAX_BATCH_BYTES - 15 * (MAX_CHUNK_BYTES + BLOB_HEAD_BYTES) - BLOB_HEAD_BYTES;
  const full = [...Array.from({ length: 15 }, () => MAX_CHUNK_BYTES), whole];
  checkBatch(full);
  for (const sizes of [[MAX_CHUNK_BYTES + 1], [...full, 0]]) {
    assert.throws(() => checkBatch(sizes), (thrown) => isKind(thrown, "too_large"));
  }
});
