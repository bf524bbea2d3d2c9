/** A pack store for tests: small segments, every event kept, reopened at will. */
import { ManualClock } from "../../core/clock.ts";
import { Counters } from "../../core/counters.ts";
import type { Bytes } from "../../core/digest.ts";
import { sha256 } from "../../core/digest.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import type { DataRecord } from "../../core/record.ts";
import { policy } from "../../policy/decide.ts";
import { openFsStore } from "../../store/fs/fs_store.ts";
import { MemoryObjectStore } from "../../store/memory.ts";
import type { DamagedPlace } from "../../store/pack/damage.ts";
import type { PackEvent, PackWriterOptions } from "../../store/pack/options.ts";
import type { PackReader } from "../../store/pack/reader.ts";
import { openPackReader } from "../../store/pack/reader.ts";
import type { PackWriter } from "../../store/pack/writer.ts";
import { openPackWriter } from "../../store/pack/writer.ts";

/** An open store with one reader. */
export interface TestStore extends AsyncDisposable {
  readonly writer: PackWriter;
  readonly reader: PackReader;
  readonly objects: ObjectStore;
  readonly clock: ManualClock;
  readonly counters: Counters;
  readonly events: PackEvent[];
  readonly damage: DamagedPlace[];
}

/** Opens a store in `dir`, or in memory; everything not given is small and without limits. */
export async function openTestStore(
  dir: string | undefined,
  options: Partial<PackWriterOptions> & { clock?: ManualClock } = {},
): Promise<TestStore> {
  const clock = options.clock ?? new ManualClock();
  const counters = options.counters ?? new Counters();
  const objects = options.objects ??
    (dir === undefined ? new MemoryObjectStore() : await openFsStore(`${dir}/objects`));
  const events: PackEvent[] = [];
  const damage: DamagedPlace[] = [];
  const readers: PackReader[] = [];
  const writer = await openPackWriter({
    dir,
    maxSize: undefined,
    policy,
    reserve: () => undefined,
    report: (event) => events.push(event),
    onRetire: (segments) => readers[0]?.retire(segments),
    ...options,
    clock,
    counters,
    objects,
  });
  const reader = openPackReader({
    store: dir === undefined ? { shared: writer.shared } : { dir },
    objects,
    counters,
    onDamage(place) {
      damage.push(place);
      writer.reportDamage(place);
    },
  });
  readers.push(reader);
  return {
    writer,
    reader,
    objects,
    clock,
    counters,
    events,
    damage,
    async [Symbol.asyncDispose]() {
      await reader[Symbol.asyncDispose]();
      await writer.close();
    },
  };
}

/** A chunk of `size` bytes that says its number; the same number gives the same bytes. */
export function chunk(number: number, size = 1000): DataRecord {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = (number + 1) * 2654435761 % 4294967296;
  // xorshift32: does not compress.
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  const body: Bytes = new Uint8Array(words.buffer).slice(0, size);
  return { kind: "chunk", id: sha256(body), body };
}

/** Chunks `from` to `to`, without the last. */
export function chunks(from: number, to: number, size?: number): DataRecord[] {
  return Array.from({ length: to - from }, (_, i) => chunk(from + i, size));
}
