import assert from "node:assert/strict";
import { bodyBytes, bytesSource } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import type { Bytes, Digest } from "../core/digest.ts";
import { digestBytes, digestOf } from "../core/digest.ts";
import { noise } from "../test/suites/blob_store_asks.ts";
import { draft, keyed } from "../test/suites/metadata_index_world.ts";
import { tempDir } from "../test/helpers/temp.ts";
import type { TempDir } from "../test/helpers/temp.ts";
import { openEngine } from "./compose.ts";
import type { Engine } from "./engine.ts";

const MINUTE = 60_000;

async function withEngine<T>(
  dir: TempDir,
  clock: ManualClock,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  await using engine = await openEngine(dir.join("store"), { clock, maxSize: 64 * 1024 * 1024 });
  return await work(engine);
}

async function put(engine: Engine, key: string, bytes: Bytes): Promise<Digest> {
  const { entry } = await engine.cache.put(draft(key), bytesSource(bytes));
  return entry.blobs[0]!.digest;
}

/** The digest of what a key holds: a comparison of large arrays would take minutes to fail. */
async function read(engine: Engine, key: string): Promise<Digest | undefined> {
  const { scope, ...rest } = keyed(key);
  const entry = await engine.cache.find({ ...rest, scopes: [scope] });
  const body = entry && await engine.cache.body(entry);
  return body && digestOf(await bodyBytes(body, 10_000_000));
}

/** Turns over one byte in the middle of these bytes, wherever a file below `dir` has them. */
async function flip(dir: string, part: Uint8Array): Promise<number> {
  let flipped = 0;
  for await (const item of Deno.readDir(dir)) {
    const path = `${dir}/${item.name}`;
    if (item.isDirectory) {
      flipped += await flip(path, part);
      continue;
    }
    const bytes = await Deno.readFile(path);
    const at = new Uint8Array(bytes).findIndex((_, n) =>
      part.every((byte, i) => bytes[n + i] === byte)
    );
    if (at < 0) continue;
    bytes[at + 8]! ^= 0xff;
    await Deno.writeFile(path, bytes);
    flipped++;
  }
  return flipped;
}

/** A store of three entries, closed, with one byte of one of them turned over. */
async function damaged(dir: TempDir, clock: ManualClock): Promise<Record<string, Bytes>> {
  const bodies = { small: noise(5000, 1), large: noise(900_000, 2), good: noise(5000, 3) };
  await withEngine(dir, clock, async (engine) => {
    for (const [key, bytes] of Object.entries(bodies)) await put(engine, key, bytes);
    // A second entry of the same blob, and the blob in another namespace.
    await put(engine, "twin", bodies.small);
    await engine.cache.blobs("other").put(undefined, bytesSource(bodies.small));
  });
  assert.equal(await flip(dir.join("store", "active"), bodies.small.subarray(100, 116)), 1);
  return bodies;
}

Deno.test("verify finds nothing in a whole store, and counts what is there", async () => {
  await using dir = await tempDir();
  await withEngine(dir, new ManualClock(), async (engine) => {
    const empty = await engine.maintenance.verify();
    assert.deepEqual([empty.records, empty.entries, empty.problems], [0, 0, []]);
    await put(engine, "k", noise(900_000));
    const report = await engine.maintenance.verify({ repair: true });
    assert.ok(report.records >= 2 && report.bytes >= 900_000, JSON.stringify(report));
    const { entries, quarantined, lost, broken_entries, repaired, problems } = report;
    assert.deepEqual({ entries, quarantined, lost, broken_entries, repaired, problems }, {
      entries: 1,
      quarantined: 0,
      lost: 0,
      broken_entries: 0,
      repaired: 0,
      problems: [],
    });
  });
});

Deno.test("verify names a flipped byte, the blobs and entries that fall with it, and serves none of it", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  const bodies = await damaged(dir, clock);
  await withEngine(dir, clock, async (engine) => {
    for (let time = 0; time < 2; time++) {
      const report = await engine.maintenance.verify();
      const { quarantined, lost, broken_entries, repaired } = report;
      assert.deepEqual({ quarantined, lost, broken_entries, repaired }, {
        quarantined: 1,
        lost: 2,
        broken_entries: 2,
        repaired: 0,
      });
      const digest = digestOf(bodies["small"]!);
      const said = report.problems.map(({ where, what }) => `${where}: ${what}`);
      const id = digestBytes(digest).toHex();
      assert.match(said[0]!, new RegExp(`^segment \\d+, byte \\d+: chunk ${id} is damaged$`));
      assert.deepEqual(said.slice(1, 3).sort(), [
        `blob ${digest}: lost in default`,
        `blob ${digest}: lost in other`,
      ]);
      assert.deepEqual(said.slice(3).sort(), [
        "entry small: default, main, plain: names a lost blob",
        "entry twin: default, main, plain: names a lost blob",
      ]);
    }
    assert.deepEqual(
      await Promise.all(["small", "twin"].map((key) => read(engine, key))),
      [undefined, undefined],
    );
    assert.equal(await read(engine, "good"), digestOf(bodies["good"]!));
    assert.equal(await read(engine, "large"), digestOf(bodies["large"]!));
  });
});

Deno.test("verify with repair drops what is lost, so that the next one is clean, also after a restart", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  const bodies = await damaged(dir, clock);
  await withEngine(dir, clock, async (engine) => {
    const report = await engine.maintenance.verify({ repair: true });
    assert.deepEqual([report.quarantined, report.lost, report.broken_entries, report.repaired], [
      1,
      2,
      2,
      5,
    ]);
    assert.equal((await engine.stats()).entries, 2);
  });
  await withEngine(dir, clock, async (engine) => {
    const report = await engine.maintenance.verify();
    assert.deepEqual(report.problems, []);
    assert.deepEqual([report.quarantined, report.lost, report.broken_entries], [0, 0, 0]);
    assert.deepEqual(await engine.cache.blobs("other").stat([digestOf(bodies["small"]!)]), [
      undefined,
    ]);
    await put(engine, "small", bodies["small"]!);
    assert.equal(await read(engine, "small"), digestOf(bodies["small"]!));
    assert.deepEqual((await engine.maintenance.verify()).problems, []);
  });
});

Deno.test("verify finds damage inside a blob of many chunks, and that blob's entry only", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  const [large, good] = [noise(3_000_000, 5), noise(3_000_000, 6)];
  await withEngine(dir, clock, async (engine) => {
    await put(engine, "large", large);
    await put(engine, "good", good);
  });
  assert.equal(await flip(dir.join("store"), large.subarray(2_000_000, 2_000_016)), 1);
  await withEngine(dir, clock, async (engine) => {
    const report = await engine.maintenance.verify({ repair: true });
    assert.deepEqual([report.quarantined, report.lost, report.broken_entries], [1, 1, 1]);
    assert.equal(await read(engine, "large"), undefined);
    assert.equal(await read(engine, "good"), digestOf(good));
    await put(engine, "large", large);
    assert.equal(await read(engine, "large"), digestOf(large));
    assert.deepEqual((await engine.maintenance.verify()).problems, []);
  });
});

Deno.test("gc removes what nothing points to once it is ten minutes old, and nothing else", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  await withEngine(dir, clock, async (engine) => {
    const kept = noise(700_000, 7);
    const orphan = noise(700_000, 8);
    await put(engine, "kept", kept);
    const blobs = engine.cache.blobs("default");
    const { digest } = await blobs.put(undefined, bytesSource(orphan));
    const linked = await blobs.put(undefined, bytesSource(noise(10, 9)));
    await blobs.delete([digest]);
    const before = await engine.stats();
    clock.advance(10 * MINUTE - 2000);
    assert.equal((await engine.maintenance.gc()).records_removed, 0, "too young");
    clock.advance(4000);
    const report = await engine.maintenance.gc();
    assert.ok(report.records_removed >= 2, JSON.stringify(report));
    const after = await engine.stats();
    assert.equal(before.chunks - after.chunks > 0, true);
    assert.ok(before.stored_bytes - after.stored_bytes >= 700_000);
    assert.equal(await read(engine, "kept"), digestOf(kept));
    assert.deepEqual(await blobs.stat([linked.digest, digest]), [linked, undefined]);
    assert.equal((await engine.maintenance.gc()).records_removed, 0);
    const { problems } = await engine.maintenance.verify();
    assert.deepEqual(problems, []);
    await blobs.put(undefined, bytesSource(orphan));
    assert.equal(digestOf(await bodyBytes((await blobs.get(digest))!, 700_000)), digest);
  });
});

Deno.test("gc keeps the body of an entry whose blob another namespace gave up", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  await withEngine(dir, clock, async (engine) => {
    const bytes = noise(700_000, 4);
    const digest = await put(engine, "k", bytes);
    await engine.cache.blobs("other").put(digest, bytesSource(bytes));
    await engine.cache.blobs("other").delete([digest]);
    clock.advance(60 * MINUTE);
    assert.equal((await engine.maintenance.gc()).records_removed, 0);
    assert.equal(await read(engine, "k"), digestOf(bytes));
  });
});

Deno.test("gc forgets the marks of blobs whose bytes are gone", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  const bodies = await damaged(dir, clock);
  await withEngine(dir, clock, async (engine) => {
    const marks = async () => (await engine.stats()).blobs;
    assert.equal(await marks(), 4);
    // Sets the damaged record aside; its marks stay.
    await engine.maintenance.verify();
    assert.equal(await marks(), 4);
    clock.advance(60 * MINUTE);
    await engine.maintenance.gc();
    assert.equal(await marks(), 2);
    assert.equal(await read(engine, "good"), digestOf(bodies["good"]!));
    assert.equal(await read(engine, "large"), digestOf(bodies["large"]!));
  });
});

Deno.test("verify and gc stop when they are told to", async () => {
  await using dir = await tempDir();
  await withEngine(dir, new ManualClock(), async (engine) => {
    const digest = await put(engine, "k", noise(900_000));
    const signal = AbortSignal.abort(new DOMException("enough", "AbortError"));
    const { verify, gc } = engine.maintenance;
    for (const work of [verify, gc]) {
      await assert.rejects(work({ signal }), (error: Error) => /enough/.test(error.message));
    }
    assert.equal(await read(engine, "k"), digest);
  });
});
