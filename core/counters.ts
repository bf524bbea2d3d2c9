/** Numbers that all threads share, without a message: slots of one SharedArrayBuffer. */

/** The slots; only ever appended to. */
export const COUNTERS = [
  "hits",
  "misses",
  "bytes_in_flight",
  "connections",
  "requests",
  "revocation_generation",
  "losses",
  "masked_errors",
  "uploads",
  "uploads_aborted",
  "bytes_received",
  "bytes_sent",
  "quarantined",
  "evicted_segments",
  "evicted_bytes",
  "dropped_logs",
  "index_changes",
] as const;
/** The name of a slot. */
export type CounterName = typeof COUNTERS[number];

const SLOT = new Map<CounterName, number>(COUNTERS.map((name, slot) => [name, slot]));

/** Shared counters; every thread makes its own view of the same buffer. */
export class Counters {
  readonly buffer: SharedArrayBuffer;
  readonly #slots: BigInt64Array;

  /** Without a buffer: a new one, all zero. */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(COUNTERS.length * 8)) {
    this.buffer = buffer;
    this.#slots = new BigInt64Array(buffer);
  }
  /** Adds, and tells the new value. */
  add(name: CounterName, amount = 1): number {
    return Number(Atomics.add(this.#slots, SLOT.get(name)!, BigInt(amount))) + amount;
  }
  get(name: CounterName): number {
    return Number(Atomics.load(this.#slots, SLOT.get(name)!));
  }
  set(name: CounterName, value: number): void {
    Atomics.store(this.#slots, SLOT.get(name)!, BigInt(value));
  }
}
