/**
 * A store that is written ten times its limit: how much of the disk it takes, whether what is read
 * all along stays, and what making room costs. The long form, of 1 GiB and 10 GiB, is for
 * `VITTE_LONG=1` and `deno task test:load test/load/room_test.ts`; it needs 12 GiB of disk.
 */
import assert from "node:assert/strict";
import { openEngine } from "../../app/compose.ts";
import type { Engine } from "../../app/engine.ts";
import { bytesSource, collect } from "../../core/bytes.ts";
import { systemClock } from "../../core/clock.ts";
import { LONG } from "../helpers/long.ts";
import { draftOf } from "../damage/world.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "./bodies.ts";
import { LOAD } from "./form.ts";

/** `long` in either of the harnesses that have minutes. */
function longOr<T>(long: T, short: T): T {
  return LONG || LOAD ? long : short;
}

const MIB = 1024 * 1024;
const LIMIT = longOr(1024, 64) * MIB;
const WRITTEN = 10 * LIMIT;
/** Bytes that two stores are written in turn, so that other work on the machine slows both. */
const STRETCH = LIMIT / 16;
/** Puts that are under way at a time. */
const WRITERS = 16;
const SIZES = [4_000, 60_000, 150_000, 300_000];
/** Of what is written first, one in so many is read all along: 5 % of the limit. */
const HOT_EVERY = 19;

Deno.test("a store that is written ten times its limit stays below it, keeps what is hot, and loses little speed", async () => {
  await using folder = await tempDir("vrc-room-", Deno.env.get("VITTE_DISK"));
  const bounded = new Written(folder.join("bounded"), LIMIT);
  // Not full yet, with packs of the same size; in the long form without any limit.
  const endless = new Written(folder.join("endless"), longOr<number | "none">("none", LIMIT));
  try {
    await bounded.open();
    await endless.open();
    for (let n = 0; bounded.bytes < WRITTEN; n++) {
      const full = bounded.bytes > 1.5 * LIMIT;
      // Who begins changes: neither is always the one that finds the disk busy with the other.
      const order = n % 2 === 0 ? [bounded, endless] : [endless, bounded];
      for (const store of order) await store.write(STRETCH, full);
      // In the long form it grows on: a store that knows less would be faster for that alone.
      await endless.beginAnew(longOr(Infinity, 0.7) * LIMIT);
    }
    const left = await bounded.hotLeft();
    const [cost, highest] = [1 - bounded.rate() / endless.rate(), bounded.highest / LIMIT];
    console.info(
      `${Math.round(bounded.bytes / MIB)} MiB into ${LIMIT / MIB} MiB: at most ` +
        `${(100 * highest).toFixed(1)} % of the limit on the disk; ${left} of ` +
        `${bounded.hot.length} hot entries left; ${bounded.rate().toFixed(0)} MB/s against ` +
        `${endless.rate().toFixed(0)} ${longOr("without a limit", "before it is full")}, ${
          (100 * cost).toFixed(1)
        } % less`,
    );
    assert.ok(highest <= 1.05, `${(100 * highest).toFixed(1)} % of the limit on the disk`);
    assert.ok(bounded.lowest >= 0.75 * LIMIT, "what there is of room is used");
    assert.equal(left, bounded.hot.length, "hot entries left");
    assert.ok(cost < longOr(0.2, 0.6), `making room costs ${(100 * cost).toFixed(1)} %`);
    assert.ok(bounded.engine.counters.get("evicted_bytes") > WRITTEN / 2);
  } finally {
    await bounded.close();
    await endless.close();
  }
});

Deno.test("a store of small bodies does not fill up with entries of what was evicted", async () => {
  await using folder = await tempDir("vrc-room-");
  const limit = 24 * MIB;
  const times = longOr(20, 4);
  const store = new Written(folder.join("store"), limit, [2_000]);
  try {
    await store.open();
    while (store.bytes < times * limit) await store.write(limit / 4, false);
    const { entries } = await store.engine.cache.totals();
    console.info(
      `${store.puts} entries of 2 KB, ${times} times the limit: ${entries} are left, at most ` +
        `${(100 * store.highest / limit).toFixed(1)} % of the limit on the disk`,
    );
    assert.ok(entries < store.puts / 2, `${entries} of ${store.puts} entries are still known`);
    // A part of the tables does not grow with the limit.
    assert.ok(store.highest <= 1.05 * limit + MIB, `${store.highest} bytes on the disk`);
    // In so small a store what is read once a quarter of the limit does not stay: no promise is made.
    console.info(
      `${await store.hotLeft()} of ${store.hot.length} that were read all along are left`,
    );
    assert.deepEqual((await store.engine.maintenance.verify()).problems, []);
  } finally {
    await store.close();
  }
});

/** A store, what was written to it, and how fast. */
class Written {
  readonly #dir: string;
  readonly #limit: number | "none";
  readonly #sizes: readonly number[];
  #engine: Engine | undefined;
  #next = 0;
  #since = 0;
  #measured = { bytes: 0, ms: 0 };
  bytes = 0;
  readonly hot: number[] = [];
  highest = 0;
  lowest = Infinity;

  constructor(dir: string, limit: number | "none", sizes: readonly number[] = SIZES) {
    this.#dir = dir;
    this.#limit = limit;
    this.#sizes = sizes;
  }
  get puts(): number {
    return this.#next;
  }
  get engine(): Engine {
    return this.#engine!;
  }
  async open(): Promise<void> {
    this.#engine = await openEngine(this.#dir, { clock: systemClock, maxSize: this.#limit });
  }
  async close(): Promise<void> {
    await this.#engine?.[Symbol.asyncDispose]();
    this.#engine = undefined;
  }
  /** Empties a store that has grown to `bytes`: it is there for its speed alone. */
  async beginAnew(bytes: number): Promise<void> {
    if (this.bytes - this.#since < bytes) return;
    this.#since = this.bytes;
    await this.close();
    await Deno.remove(this.#dir, { recursive: true });
    this.hot.length = 0;
    await this.open();
  }

  /** Puts so many bytes, and reads what is hot once; only the puts are timed. */
  async write(bytes: number, counts: boolean): Promise<void> {
    const end = this.bytes + bytes;
    const hotUntil = (this.#limit === "none" ? LIMIT : this.#limit) / 2;
    const began = performance.now();
    const writer = async () => {
      while (this.bytes < end) {
        const number = this.#next++;
        const size = this.#sizeOf(number);
        this.bytes += size;
        await this.engine.cache.put(
          draftOf({ namespace: "default", key: `key-${number}` }),
          bytesSource(bodyOf(number, size)),
        );
        if (number % HOT_EVERY === 0 && this.bytes < hotUntil) this.hot.push(number);
        if (number % 16 === 0) this.#look();
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
    const ms = performance.now() - began;
    if (counts) {
      this.#measured.bytes += bytes;
      this.#measured.ms += ms;
    }
    await this.hotLeft();
  }
  /** MB/s of all that counted. */
  rate(): number {
    return this.#measured.bytes / this.#measured.ms / 1000;
  }

  /** Reads what is hot; tells how much of it is here, as it was written. */
  async hotLeft(): Promise<number> {
    let left = 0;
    for (const number of this.hot) {
      const { cache } = this.engine;
      const key = { namespace: "default", protocol: "kv", key: `key-${number}` };
      const entry = await cache.find({ ...key, scopes: ["main"] });
      const body = entry && await cache.body(entry);
      if (!body) continue;
      const bytes = body.bytes ?? await collect(body.stream(), MIB);
      assert.deepEqual(bytes, bodyOf(number, this.#sizeOf(number)));
      left++;
    }
    return left;
  }

  #sizeOf(number: number): number {
    return this.#sizes[number % this.#sizes.length]!;
  }

  #look(): void {
    const bytes = bytesBelow(this.#dir);
    this.highest = Math.max(this.highest, bytes);
    if (this.bytes > 2 * LIMIT) this.lowest = Math.min(this.lowest, bytes);
  }
}

/** Bytes of all files in a folder: packs, tables, audit, whatever is there. */
function bytesBelow(path: string): number {
  let bytes = 0;
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    try {
      if (isDirectory) bytes += bytesBelow(`${path}/${name}`);
      else bytes += Deno.lstatSync(`${path}/${name}`).size;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return bytes;
}
