/**
 * The blob store suite over a whole engine in a folder: packs, index and the one writer. All cases
 * share one store, each has namespaces of its own: a case finds the bytes of others stored, which
 * nobody may notice.
 */
import assert from "node:assert/strict";
import { openEngine } from "../../app/compose.ts";
import type { Engine } from "../../app/engine.ts";
import { ManualClock } from "../../core/clock.ts";
import { tempDir } from "../helpers/temp.ts";
import type { TempDir } from "../helpers/temp.ts";
import { blobStoreSuite } from "./blob_store.ts";

let dir: TempDir;
let engine: Engine;
let cases = 0;

Deno.test.beforeAll(async () => {
  dir = await tempDir();
  engine = await openEngine(dir.join("store"), {
    clock: new ManualClock(),
    maxSize: "none",
    maxBlobSize: 2 ** 30,
  });
  engine.settleIn();
});

Deno.test.afterAll(async () => {
  try {
    const { quarantined, lost, broken_entries } = await engine.maintenance.verify();
    assert.deepEqual([quarantined, lost, broken_entries], [0, 0, 0], "the store is whole");
  } finally {
    await engine[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  }
});

blobStoreSuite("engine in a folder", () => {
  const own = ++cases;
  return Promise.resolve({
    store: (namespace) => engine.cache.blobs(`${namespace}-${own}`),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
