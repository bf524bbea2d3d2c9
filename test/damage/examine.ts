/** Looks at a damaged store: what it may never do, and what it must tell. */
import assert from "node:assert/strict";
import type { Engine } from "../../app/engine.ts";
import { bodyBytes, bytesSource, equalBytes } from "../../core/bytes.ts";
import { CacheError } from "../../core/errors.ts";
import type { VerifyReport } from "../../core/cache.ts";
import type { Touched } from "./touched.ts";
import type { World, WorldBlob, WorldEntry } from "./world.ts";
import { draftOf, openStore, readBlob } from "./world.ts";

/** What came of a case. */
export interface Outcome {
  readonly refused: number;
  readonly blobsLost: number;
  readonly entriesLost: number;
  readonly told: number;
  readonly reads: number;
}

/** What is missing of a world. */
export interface Missing {
  readonly blobs: ReadonlySet<WorldBlob>;
  readonly entries: ReadonlySet<WorldEntry>;
  readonly reads: number;
}

/** What a case allows. */
export interface Allowed extends Touched {
  /** The store may refuse to open: what is damaged can not be done without. */
  readonly refuse: boolean;
  /** The log was read anew: where a record of it fell, an older one of the same key may count. */
  readonly replayed: boolean;
  /** The end of a file that the tables knew nothing of: it is taken for a torn write, and cut. */
  readonly torn: boolean;
  /**
   * Records are gone without a gap, and the tables that knew them: as if they had been evicted, or
   * never written. Nothing is left that could tell.
   */
  readonly traceless: boolean;
  /** Only the tables are damaged: what is missing because of them, a repair finds again. */
  readonly tables: boolean;
  /** All bytes are there, under another name: no read finds them, and a repair finds all. */
  readonly displaced: boolean;
}

const SMALL_READ = 2_000_000;

/** Whether a read that failed did so in a way that is allowed: as `corrupt` or `unavailable`. */
function isHonest(thrown: unknown): boolean {
  return thrown instanceof CacheError &&
    (thrown.kind === "corrupt" || thrown.kind === "unavailable");
}

/** Reads everything; fails on a wrong byte, tells what is missing. */
export async function readWorld(
  engine: Pick<Engine, "cache">,
  world: World,
  { replayed = false } = {},
): Promise<Missing> {
  const missing = { blobs: new Set<WorldBlob>(), entries: new Set<WorldEntry>(), reads: 0 };
  for (const blob of world.blobs) {
    missing.reads++;
    try {
      const bytes = await readBlob(engine, blob);
      if (!bytes) missing.blobs.add(blob);
      else assert.ok(equalBytes(bytes, blob.bytes), `WRONG BYTES of ${blob.digest}`);
    } catch (thrown) {
      if (!isHonest(thrown)) throw thrown;
      missing.blobs.add(blob);
    }
  }
  for (const entry of world.entries) {
    missing.reads++;
    if (!await readEntry(engine, entry, replayed)) missing.entries.add(entry);
  }
  return missing;
}

/** Whether an entry says what it should; fails where it says anything else than that or nothing. */
async function readEntry(
  engine: Pick<Engine, "cache">,
  wanted: WorldEntry,
  replayed: boolean,
): Promise<boolean> {
  const { namespace, key, versions, removed } = wanted;
  let bytes: Uint8Array | undefined;
  try {
    const lookup = { namespace, scopes: ["main"], protocol: "kv", key };
    const entry = await engine.cache.find(lookup);
    if (!entry) return removed;
    assert.equal(entry.key, key, "another key's entry");
    const body = await engine.cache.body(entry);
    bytes = body && await bodyBytes(body, SMALL_READ);
  } catch (thrown) {
    if (!isHonest(thrown)) throw thrown;
    return false;
  }
  if (!bytes) return false;
  const version = versions.findIndex((one) => equalBytes(one, bytes));
  assert.ok(version >= 0, `WRONG BYTES of entry ${key}`);
  const right = !removed && version === versions.length - 1;
  assert.ok(right || replayed, `entry ${key} says what it no longer should`);
  return right;
}

/** Opens a damaged store and holds it to everything that is promised. */
export async function examine(dir: string, world: World, allowed: Allowed): Promise<Outcome> {
  const lines: string[] = [];
  let engine: Engine;
  try {
    engine = await openStore(dir, lines);
  } catch (thrown) {
    assert.ok(thrown instanceof CacheError, `not an error of ours: ${thrown}`);
    assert.ok(allowed.refuse, `the store does not open: ${thrown.message}`);
    assert.ok(thrown.hint, `no hint with: ${thrown.message}`);
    return { refused: 1, blobsLost: 0, entriesLost: 0, told: 1, reads: 0 };
  }
  await using _closed = engine;
  const missing = await readWorld(engine, world, allowed);
  const lost = missing.blobs.size + missing.entries.size;
  if (!allowed.tables) holdToBound(missing, allowed, world);
  // The writer looks for itself at what readers found, in tasks of its own.
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  const told = await holdToAlarm(engine, {
    lost: allowed.traceless || allowed.tables ? 0 : lost,
    lines,
    mayBeTorn: allowed.torn,
  });
  const report = await engine.maintenance.verify();
  if (!allowed.traceless && !(allowed.torn && isTorn(lines))) holdToReport(report, missing);
  const repaired = await engine.maintenance.verify({ repair: true });
  // A repair may find records again whose rows led elsewhere; it never loses more.
  if (allowed.displaced) assert.equal(repaired.lost, 0, "the repair leaves what it could find");
  else if (!allowed.tables) {
    assert.ok(repaired.lost <= report.lost, "a repair lost what was there");
  }
  const clean = await engine.maintenance.verify();
  assert.deepEqual(
    [clean.quarantined, clean.lost, clean.broken_entries, clean.audit_damaged, clean.problems],
    [0, 0, 0, 0, []],
    "verify --repair leaves something",
  );
  const after = await readWorld(engine, world, allowed);
  if (allowed.tables) holdToBound(after, allowed, world);
  else if (allowed.displaced) assert.equal(after.blobs.size + after.entries.size, 0, "not found");
  else {
    // Counted, not compared as a whole: a failed comparison would print all their bytes.
    const before = new Set(missing.blobs);
    assert.equal(
      [...after.blobs].filter((blob) => !before.has(blob)).length,
      0,
      "repair lost blobs",
    );
  }
  await storeAgain(engine, world, after);
  await engine[Symbol.asyncDispose]();
  // All of it is still so after a start, which has nothing to complain about.
  const second: string[] = [];
  await using again = await openStore(dir, second);
  const final = await readWorld(again, world, allowed);
  assert.equal(final.blobs.size + final.entries.size, 0, "what was stored anew is gone again");
  const complaints = second.filter((line) => !/^drop failed and is tried again/.test(line));
  assert.deepEqual(complaints, [], "the second start complains");
  return {
    refused: 0,
    blobsLost: missing.blobs.size,
    entriesLost: missing.entries.size,
    told,
    reads: 3 * missing.reads,
  };
}

/** Nothing is missing but what the damage touched. */
function holdToBound(missing: Missing, allowed: Allowed, { blobs }: World): void {
  for (const blob of missing.blobs) {
    assert.ok(allowed.blobs.has(blob), `untouched blob ${blob.digest} is gone`);
  }
  const digests = new Set([...allowed.blobs].map((blob) => blob.bytes));
  assert.ok(blobs.length > 0);
  for (const entry of missing.entries) {
    const body = entry.versions.at(-1)!;
    const fell = allowed.entries.has(entry) || digests.has(body);
    assert.ok(fell, `untouched entry ${entry.key} is gone`);
  }
}

/** After an unclean stop what follows the last good record was never acknowledged, and is cut. */
function isTorn(lines: readonly string[]): boolean {
  return lines.some((line) => /[1-9]\d* torn bytes cut/.test(line));
}

/** What is lost is counted, logged, and told by `stats`. */
async function holdToAlarm(
  engine: Engine,
  { lost, lines, mayBeTorn }: { lost: number; lines: readonly string[]; mayBeTorn: boolean },
): Promise<number> {
  const counted = engine.counters.get("quarantined");
  const torn = mayBeTorn && isTorn(lines);
  if (lost > 0 && !torn) {
    assert.ok(counted > 0, `lost ${lost} without a count`);
    assert.ok(lines.some((line) => line.includes("ALARM")), `lost ${lost} without an alarm`);
    const stats = await engine.stats();
    assert.ok(Number(stats["quarantined"]) > 0, `lost ${lost}, and stats says nothing`);
  }
  return counted > 0 || torn ? 1 : 0;
}

/** `verify` names every blob that is missing though its mark is there, and each entry with it. */
function holdToReport(report: VerifyReport, missing: Missing): void {
  const where = new Set(report.problems.map((problem) => problem.where));
  const unseen = [...missing.blobs].filter(({ digest }) => !where.has(`blob ${digest}`));
  if (report.lost > 0) assert.equal(unseen.length, 0, "a lost blob is not named");
  const told = report.quarantined + report.lost + report.problems.length;
  if (missing.blobs.size + missing.entries.size > 0) {
    assert.ok(told > 0, "verify finds nothing wrong");
  }
}

/** What is lost can be stored again. */
async function storeAgain(engine: Engine, world: World, missing: Missing): Promise<void> {
  for (const { namespace, bytes } of missing.blobs) {
    await engine.cache.blobs(namespace).put(undefined, bytesSource(bytes));
  }
  for (const entry of world.entries) {
    if (entry.removed) await engine.cache.remove([draftOf(entry)]);
    else if (missing.entries.has(entry)) {
      await engine.cache.put(draftOf(entry), bytesSource(entry.versions.at(-1)!));
    }
  }
}
