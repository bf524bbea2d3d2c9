import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import { blobStoreSuite, CASE_COUNT } from "../../test/suites/blob_store.ts";
import { rejectsKind } from "../../test/suites/object_store_asks.ts";
import { createMemoryBlobWorld, MemoryBlobStore } from "./memory_blobs.ts";

blobStoreSuite("memory", async () => {
  const world = createMemoryBlobWorld();
  return {
    store: (namespace) => new MemoryBlobStore(namespace, world),
    storedBytes: () => [...world.stored.values()].reduce((sum, bytes) => sum + bytes.length, 0),
    async [Symbol.asyncDispose]() {},
  };
}, { chunks: false });

Deno.test("The blob store suite has at least its 60 cases", () => {
  assert.ok(CASE_COUNT >= 60, `${CASE_COUNT} cases`);
});

Deno.test("MemoryBlobStore.put() refuses what is larger than its world allows", async () => {
  const store = new MemoryBlobStore("a", createMemoryBlobWorld(10));
  await rejectsKind(store.put(undefined, bytesSource(new Uint8Array(11))), "too_large");
  assert.equal((await store.put(undefined, bytesSource(new Uint8Array(10)))).size, 10);
});
