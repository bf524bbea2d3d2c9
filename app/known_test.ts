import assert from "node:assert/strict";
import { openEngine } from "./compose.ts";
import type { Engine } from "./engine.ts";
import { bytesSource } from "../core/bytes.ts";
import { systemClock } from "../core/clock.ts";
import { digestOf } from "../core/digest.ts";
import { digestBytes } from "../core/digest.ts";
import type { Digest } from "../core/digest.ts";
import { KnownBlobs } from "../core/known_blobs.ts";
import { tempDir } from "../test/helpers/temp.ts";

const BODIES = Array.from({ length: 3000 }, (_, n) => new TextEncoder().encode(`body ${n}`));
const DIGESTS = BODIES.map((bytes) => digestOf(bytes));

async function open(dir: string, options: { maxSize?: number | "none" } = {}): Promise<Engine> {
  const engine = await openEngine(dir, { clock: systemClock, maxSize: "none", ...options });
  engine.settleIn();
  return engine;
}

/** Puts blobs, and asks for each as soon as it is acknowledged. */
async function putAll(engine: Engine, from: number, to: number): Promise<void> {
  const blobs = engine.cache.blobs("default");
  await Promise.all(
    BODIES.slice(from, to).map(async (bytes, n) => {
      await blobs.put(DIGESTS[from + n], bytesSource(bytes));
      assert.equal((await blobs.missing([DIGESTS[from + n]!])).size, 0, `${from + n}`);
    }),
  );
}

/** What the table itself says once it has learned all. */
async function settled(engine: Engine, digest: Digest): Promise<string> {
  const known = new KnownBlobs(engine.known.blobs);
  const absent = digestBytes(digestOf(new TextEncoder().encode("never stored")));
  for (let turn = 0; turn < 10_000 && known.ask(1, absent) === "unknown"; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(known.ask(1, absent), "missing");
  return known.ask(1, digestBytes(digest));
}

Deno.test("what was acknowledged is never missing: while the table learns, after, and after restarts", async () => {
  await using dir = await tempDir();
  {
    await using engine = await open(dir.join("store"));
    await putAll(engine, 0, 1000);
  }
  {
    await using engine = await open(dir.join("store"));
    await putAll(engine, 1000, 2000);
    assert.equal(await settled(engine, DIGESTS[7]!), "here");
    assert.equal(await settled(engine, DIGESTS[1500]!), "here");
    await putAll(engine, 2000, 3000);
    assert.equal(await settled(engine, DIGESTS[2500]!), "here");
    const blobs = engine.cache.blobs("default");
    assert.equal((await blobs.missing(DIGESTS)).size, 0);
    assert.equal((await engine.cache.blobs("other").missing(DIGESTS)).size, 3000);
  }
  // The tables are caches: without them everything is still here.
  await Deno.remove(dir.join("store/packs.sqlite"));
  await Deno.remove(dir.join("store/index.sqlite"));
  await using engine = await open(dir.join("store"));
  assert.equal(await settled(engine, DIGESTS[7]!), "here");
  assert.equal((await engine.cache.blobs("default").missing(DIGESTS)).size, 0);
});

Deno.test("what is no longer here is missing: unlinked, evicted", async () => {
  await using dir = await tempDir();
  await using engine = await open(dir.join("store"), { maxSize: 16 * 1024 * 1024 });
  await putAll(engine, 0, 100);
  const blobs = engine.cache.blobs("default");
  await blobs.delete([DIGESTS[3]!]);
  assert.equal(await settled(engine, DIGESTS[3]!), "missing");
  assert.deepEqual(await blobs.missing(DIGESTS.slice(0, 100)), new Set([DIGESTS[3]]));
  await blobs.put(DIGESTS[3], bytesSource(BODIES[3]!));
  assert.equal(await settled(engine, DIGESTS[3]!), "here");
  // Twice the store's room: the first ones have to go.
  const large = Array.from({ length: 128 }, (_, n) => new Uint8Array(256 * 1024).fill(n + 1, 0, 8));
  for (const bytes of large) await blobs.put(undefined, bytesSource(bytes));
  const all = [...DIGESTS.slice(0, 100), ...large.map((bytes) => digestOf(bytes))];
  const there = await blobs.stat(all);
  const gone = all.filter((_, n) => !there[n]);
  assert.ok(gone.length > 0, "something was evicted");
  assert.deepEqual(await blobs.missing(all), new Set(gone));
  assert.equal(await settled(engine, gone[0]!), "missing");
});

Deno.test("what is put again, or by another namespace, is stored once and counted as it should be", async () => {
  await using dir = await tempDir();
  await using engine = await open(dir.join("store"));
  await putAll(engine, 0, 50);
  assert.equal(await settled(engine, DIGESTS[7]!), "here");
  const bytes = BODIES.slice(0, 100).reduce((sum, { length }) => sum + length, 0);
  // New to everybody, then known to its namespace, then known to another one.
  await putAll(engine, 50, 100);
  await putAll(engine, 0, 100);
  const once = await engine.cache.totals();
  assert.deepEqual([once.blobs, once.logical_bytes, once.chunks], [100, bytes, 100]);
  const other = engine.cache.blobs("other");
  for (const n of [3, 60]) await other.put(DIGESTS[n], bytesSource(BODIES[n]!));
  const twice = await engine.cache.totals();
  assert.deepEqual([twice.blobs, twice.chunks, twice.stored_bytes], [102, 100, once.stored_bytes]);
  // What was hidden is seen again, and counted once more.
  await engine.cache.blobs("default").delete([DIGESTS[60]!]);
  await engine.cache.blobs("default").put(DIGESTS[60], bytesSource(BODIES[60]!));
  const again = await engine.cache.totals();
  assert.deepEqual([again.blobs, again.logical_bytes], [102, twice.logical_bytes]);
});
