/** Damage planted under a running store is found without anybody reading it, and told. */
import assert from "node:assert/strict";
import type { Engine } from "../../app/engine.ts";
import { Scrubber } from "../../app/scrubber.ts";
import { ManualClock } from "../../core/clock.ts";
import { Counters } from "../../core/counters.ts";
import { SCRUB_EVERY_MS } from "../../core/limits.ts";
import { seededRandom } from "../helpers/random.ts";
import { tempDir } from "../helpers/temp.ts";
import { BYTE_KINDS } from "./kinds.ts";
import { filesOf } from "./records.ts";
import type { StoreFile } from "./records.ts";
import { buildWorld, openStore, readBlob } from "./world.ts";
import type { World } from "./world.ts";

const RATE = 8 * 1024 * 1024;

/** Moves the clock until `done`; tells how many milliseconds that took. */
async function advanceUntil(clock: ManualClock, done: () => boolean): Promise<number> {
  const began = clock.monotonic();
  for (let n = 0; !done(); n++) {
    assert.ok(n < 20_000, "the scrub does not come to an end");
    clock.advance(20);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return clock.monotonic() - began;
}

function scrub(
  engine: Engine,
  clock: ManualClock,
  lines: string[] = [],
  counters = new Counters(),
) {
  const report = (line: string) => lines.push(line);
  return new Scrubber({ rate: RATE, clock, counters, ...engine.scrub, report });
}

/** Flips bits in the middle of a record of each of these files. */
async function plant(world: World, files: readonly StoreFile[]): Promise<void> {
  const random = seededRandom("VITTE_SCRUB_SEED");
  for (const { path, records } of files) {
    const { from, to } = records[records.length >> 1]!;
    const span = { from: from + 60, to };
    await BYTE_KINDS["flip"]!({ dir: world.dir, path, span, other: undefined, random });
  }
}

Deno.test("the scrub finds damage in data, log and footer that nobody has read", async () => {
  await using dir = await tempDir();
  const world = await buildWorld(dir.path, seededRandom("VITTE_SCRUB_SEED"));
  const files = await filesOf(dir.path);
  const data = files.find(({ type }) => type === "data pack")!;
  const log = files.find(({ type, records }) => type === "log pack" && records.length > 2)!;
  const lines: string[] = [];
  await using engine = await openStore(dir.path, lines);
  await plant(world, [data, log]);
  const footer = { from: data.recordsEnd, to: data.size };
  const random = seededRandom("VITTE_SCRUB_SEED");
  const spot = { dir: dir.path, path: data.path, span: footer, other: undefined, random };
  await BYTE_KINDS["noise"]!(spot);
  assert.equal(engine.scrub.status(), undefined, "nothing was scrubbed yet");
  const clock = new ManualClock(Date.now());
  await using _scrubber = scrub(engine, clock, lines);
  const ms = await advanceUntil(clock, () => engine.scrub.status()?.rounds === 1);
  const status = engine.scrub.status()!;
  assert.equal(status.damaged, 3, "one record of data, one of the log, a footer");
  assert.equal(engine.counters.get("scrub_findings"), 3);
  assert.equal(engine.counters.get("quarantined"), 3);
  assert.equal(engine.counters.get("scrubbed_bytes"), status.read);
  assert.ok(lines.filter((line) => line.includes("ALARM")).length >= 3, lines.join("\n"));
  const stats = await engine.stats();
  assert.equal(stats["quarantined"], 3);
  assert.deepEqual(stats["scrub"], status);
  const stored = files.reduce(
    (sum, { records, recordsEnd }) => sum + (records.length && recordsEnd),
    0,
  );
  assert.ok(
    status.read > stored * 0.9 && status.read <= stored,
    `read ${status.read} of ${stored}`,
  );
  assert.ok(ms >= 1000 * status.read / RATE, `${status.read} bytes in ${ms} ms are too many`);
  // The next round begins a week after this one did, and finds nothing new.
  const before = clock.now();
  await advanceUntil(clock, () => {
    clock.advance(3_600_000);
    return engine.scrub.status()!.rounds === 2;
  });
  assert.ok(clock.now() - before > SCRUB_EVERY_MS / 2);
  assert.equal(engine.counters.get("quarantined"), 3);
});

Deno.test("a scrub goes on after a restart where it was", async () => {
  await using dir = await tempDir();
  await buildWorld(dir.path, seededRandom("VITTE_SCRUB_SEED"));
  const places: string[] = [];
  let rounds = 0;
  for (let restarts = 0; rounds === 0; restarts++) {
    assert.ok(restarts < 20, `still at ${places.join(", ")}`);
    await using engine = await openStore(dir.path);
    const begin = engine.scrub.status();
    if (restarts > 0) assert.equal(`${begin!.segment}:${begin!.offset}`, places.at(-1));
    const read = begin?.read ?? 0;
    const clock = new ManualClock(Date.now());
    await using _scrubber = scrub(engine, clock);
    await advanceUntil(clock, () => {
      const now = engine.scrub.status();
      return now !== undefined && (now.read > read || now.rounds > 0);
    });
    const { segment, offset, rounds: ended } = engine.scrub.status()!;
    places.push(`${segment}:${offset}`);
    rounds = ended;
  }
  assert.ok(new Set(places).size >= 3, `a restart began anew: ${places.join(", ")}`);
});

Deno.test("the scrub lets traffic go first, and yet comes to its end", async () => {
  await using dir = await tempDir();
  await buildWorld(dir.path, seededRandom("VITTE_SCRUB_SEED"));
  await using engine = await openStore(dir.path);
  const timeFor = async (traffic: number) => {
    const clock = new ManualClock(Date.now());
    const counters = new Counters();
    const { rounds = 0 } = engine.scrub.status() ?? {};
    const never = () => undefined;
    const options = { rate: RATE, clock, counters, ...engine.scrub, report() {} };
    await using _scrubber = new Scrubber({ ...options, status: never });
    return await advanceUntil(clock, () => {
      counters.add("requests", traffic);
      return (engine.scrub.status()?.rounds ?? 0) > rounds;
    });
  };
  const quiet = await timeFor(0);
  const busy = await timeFor(100);
  assert.ok(busy > quiet + 500, `${busy} ms under traffic, ${quiet} ms without`);
});

Deno.test("without a scrub a damaged blob is a miss the first time it is read", async () => {
  await using dir = await tempDir();
  const world = await buildWorld(dir.path, seededRandom("VITTE_SCRUB_SEED"));
  const data = (await filesOf(dir.path)).filter(({ type }) => type === "data pack");
  await using engine = await openStore(dir.path);
  await plant(world, data);
  let missed = 0;
  for (const blob of world.blobs) if (!await readBlob(engine, blob)) missed++;
  assert.ok(missed >= data.length, `${missed} missed`);
});
