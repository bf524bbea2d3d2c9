import assert from "node:assert/strict";
import { bytesSource } from "../core/bytes.ts";
import { systemClock } from "../core/clock.ts";
import type { EntryKey } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import type { PinTotals } from "../core/pins.ts";
import { draftOf } from "../test/damage/world.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { bodyOf } from "../test/load/bodies.ts";
import { openEngine } from "./compose.ts";
import type { Engine } from "./engine.ts";

const MIB = 1024 * 1024;
const LIMIT = 16 * MIB;

function open(dir: string, report?: (line: string) => void): Promise<Engine> {
  return openEngine(dir, { clock: systemClock, maxSize: LIMIT, report });
}

function keyOf(number: number): EntryKey {
  return { namespace: "default", scope: "main", protocol: "kv", key: `key-${number}` };
}

async function put(engine: Engine, number: number, size: number, tags: string[] = []) {
  const draft = { ...draftOf(keyOf(number)), tags };
  await engine.cache.put(draft, bytesSource(bodyOf(number, size)));
}

/** Writes so much that everything else goes. */
async function flood(engine: Engine, first: number, bytes = 3 * LIMIT): Promise<void> {
  for (let n = 0; n < bytes / 200_000; n += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, k) => put(engine, first + n + k, 200_000)));
  }
}

async function isHere(engine: Engine, number: number, size: number): Promise<boolean> {
  const entry = await engine.cache.find({ ...keyOf(number), scopes: ["main"] });
  const body = entry && await engine.cache.body(entry);
  if (!body) return false;
  const bytes = new Uint8Array(await new Response(body.stream()).arrayBuffer());
  assert.deepEqual(bytes, bodyOf(number, size));
  return true;
}

async function pinned(engine: Engine): Promise<PinTotals> {
  return (await engine.stats())["pinned"] as PinTotals;
}

async function refused(work: Promise<unknown>): Promise<CacheError> {
  const error = await work.then(() => undefined, (thrown) => thrown);
  assert.ok(error instanceof CacheError, String(error));
  return error;
}

const ASK = { namespace: "default", scopes: undefined, by: "anne" };

Deno.test("What is pinned stays through evictions, a restart and a new index, until it is unpinned", async () => {
  await using dir = await tempDir();
  const sizes = [1000, 90_000, 700_000];
  {
    await using engine = await open(dir.path);
    for (const [n, size] of sizes.entries()) await put(engine, n, size, ["release"]);
    // In a segment of its own: one that is mostly pinned stays as it is.
    await flood(engine, 50, 2 * MIB);
    await put(engine, 3, 50_000);
    const pins = await engine.pinning.pin({ ...ASK, tag: "release" });
    assert.deepEqual(pins.map(({ key, by, bytes }) => [key, by, bytes]), [
      ["key-0", "anne", 1000],
      ["key-1", "anne", 90_000],
      ["key-2", "anne", 700_000],
    ]);
    await flood(engine, 100);
    for (const [n, size] of sizes.entries()) assert.ok(await isHere(engine, n, size), `${n}`);
    assert.ok(!await isHere(engine, 3, 50_000), "what is not pinned went");
    const report = await engine.maintenance.gc({ dryRun: true });
    assert.deepEqual(report.kept.map(({ key, by }) => `${key} ${by}`), [
      "key-0 anne",
      "key-1 anne",
      "key-2 anne",
    ]);
  }
  await Deno.remove(`${dir.path}/index.sqlite`);
  {
    const lines: string[] = [];
    await using engine = await open(dir.path, (line) => lines.push(line));
    assert.deepEqual(await pinned(engine), { entries: 3, bytes: 791_000, max_bytes: LIMIT / 2 });
    await flood(engine, 1000);
    for (const [n, size] of sizes.entries()) assert.ok(await isHere(engine, n, size), `${n}`);
    const gone = await engine.pinning.unpin({ ...ASK, keys: ["key-2", "key-9"] });
    assert.deepEqual(gone.map(({ key }) => key), ["key-2"]);
    await flood(engine, 2000);
    assert.ok(!await isHere(engine, 2, 700_000), "unpinned, it goes like any other");
    assert.ok(await isHere(engine, 1, 90_000));
    assert.deepEqual((await engine.maintenance.verify()).problems, []);
    assert.deepEqual(lines.filter((line) => line.includes("pinned entry")), []);
  }
});

Deno.test("A pin follows its entry: a new version is kept instead of the old one, a deletion ends it", async () => {
  await using dir = await tempDir();
  await using engine = await open(dir.path);
  await put(engine, 0, 30_000);
  await put(engine, 1, 30_000);
  await engine.pinning.pin({ ...ASK, keys: ["key-0", "key-1"] });
  const draft = draftOf(keyOf(0));
  await engine.cache.put(draft, bytesSource(bodyOf(77, 40_000)));
  await engine.cache.remove([keyOf(1)]);
  assert.deepEqual(await pinned(engine), { entries: 1, bytes: 40_000, max_bytes: LIMIT / 2 });
  await flood(engine, 100);
  const entry = await engine.cache.find({ ...keyOf(0), scopes: ["main"] });
  assert.ok(entry && await engine.cache.body(entry));
  // Written again, the key that was deleted is pinned no more.
  await put(engine, 1, 30_000);
  assert.equal((await engine.pinning.pins("default")).length, 1);
  const error = await refused(
    engine.cache.put(draft, bytesSource(bodyOf(78, LIMIT / 2 + MIB))),
  );
  assert.match(error.message, /^Cannot pin .*: .* of 8.00 MiB are pinned/);
});

Deno.test("Pins take half of the store at most, and a full store says that they are in the way", async () => {
  await using dir = await tempDir();
  await using engine = await open(dir.path);
  for (let n = 0; n < 30; n++) await put(engine, n, 300_000);
  const keys = Array.from({ length: 30 }, (_, n) => `key-${n}`);
  const error = await refused(engine.pinning.pin({ ...ASK, keys }));
  assert.equal(error.kind, "quota_exceeded");
  assert.match(error.message, /^Cannot pin 8.58 MiB: 0 B of 8.00 MiB are pinned/);
  assert.equal((await pinned(engine)).entries, 0, "all or none");
  const some = keys.slice(0, 27);
  assert.equal((await engine.pinning.pin({ ...ASK, keys: some })).length, 27);
  assert.equal((await refused(engine.pinning.pin({ ...ASK, keys }))).kind, "quota_exceeded");
  // The rest of the room goes on being used, whatever is pinned.
  await flood(engine, 100);
  for (let n = 0; n < 27; n++) assert.ok(await isHere(engine, n, 300_000), `${n}`);
  const full = await refused(
    engine.cache.put(draftOf(keyOf(99)), bytesSource(bodyOf(99, 12 * MIB))),
  );
  assert.equal(full.kind, "quota_exceeded");
  assert.match(full.message, /27 entries are pinned/);
});
