/** Numbers that all threads share, without a message: slots of one SharedArrayBuffer. */
import { TOOLS } from "./tools.ts";
import type { Tool } from "./tools.ts";
import { TROUBLES } from "./trouble.ts";
import type { Trouble } from "./trouble.ts";

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
  "unlinks",
  "answer_bytes",
  "scrubbed_bytes",
  "scrub_findings",
  "let_go",
] as const;
/** The name of a slot. */
export type CounterName = typeof COUNTERS[number];

/** What a thread holds and gives back: what one that died held is given back for it. */
export const HELD = ["bytes_in_flight", "answer_bytes"] as const satisfies readonly CounterName[];
/** One of them. */
export type HeldName = typeof HELD[number];

/**
 * Slots of the change counters: so many that two of the entries that are in use at a time rarely
 * share one. Sharing costs a look-up, never a wrong answer.
 */
const CHANGE_SLOTS = 65_536;

/** How often what was hidden from whom: tool, trouble, times. What never happened is left out. */
export type MaskedCounts = Partial<Record<Tool, Partial<Record<Trouble, number>>>>;

/** Behind the named slots: one for each tool and trouble. */
const SLOTS = COUNTERS.length + TOOLS.length * TROUBLES.length;
const BYTES = SLOTS * 8;
/** A plain object: the slot of a name that stands in the code is found when it is compiled. */
const SLOT = Object.fromEntries(COUNTERS.map((name, slot) => [name, slot])) as Readonly<
  Record<CounterName, number>
>;

/** Shared counters; every thread makes its own view of the same buffer. */
export class Counters {
  readonly buffer: SharedArrayBuffer;
  readonly #slots: BigInt64Array;
  readonly #changes: Int32Array;
  readonly #share: BigInt64Array;

  /** Without a buffer: a new one, all zero. `share` is where a thread notes what it holds itself. */
  constructor(buffer: SharedArrayBuffer = newBuffer(), share: SharedArrayBuffer = newShare()) {
    this.buffer = buffer;
    this.#share = new BigInt64Array(share);
    this.#slots = new BigInt64Array(buffer, 0, SLOTS);
    this.#changes = new Int32Array(buffer, BYTES, CHANGE_SLOTS);
  }
  /** Adds, and tells the new value. */
  add(name: CounterName, amount = 1): number {
    return Number(Atomics.add(this.#slots, SLOT[name], BigInt(amount))) + amount;
  }
  /** As {@linkcode add}, and notes it in this thread's own share. */
  hold(name: HeldName, amount: number): number {
    Atomics.add(this.#share, HELD.indexOf(name), BigInt(amount));
    return this.add(name, amount);
  }
  /** Gives back what the thread of this share held; to be called when it runs no more. */
  giveBack(share: SharedArrayBuffer): void {
    const held = new BigInt64Array(share);
    for (const [at, name] of HELD.entries()) {
      Atomics.sub(this.#slots, SLOT[name], Atomics.exchange(held, at, 0n));
    }
  }
  get(name: CounterName): number {
    return Number(Atomics.load(this.#slots, SLOT[name]));
  }
  set(name: CounterName, value: number): void {
    Atomics.store(this.#slots, SLOT[name], BigInt(value));
  }
  /** Counts an answer that hid `trouble` from `tool`. */
  addMasked(tool: Tool, trouble: Trouble): void {
    this.add("masked_errors");
    Atomics.add(this.#slots, maskedSlot(tool, trouble), 1n);
  }
  masked(): MaskedCounts {
    const counts: MaskedCounts = {};
    for (const tool of TOOLS) {
      for (const trouble of TROUBLES) {
        const times = Number(Atomics.load(this.#slots, maskedSlot(tool, trouble)));
        if (times > 0) (counts[tool] ??= {})[trouble] = times;
      }
    }
    return counts;
  }
  /** Notes that the thing of this name has changed; to be called before anybody is told. */
  noteChange(name: string): void {
    Atomics.add(this.#changes, slotOf(name), 1);
  }
  /** Another number than before if the thing of this name has changed; perhaps if others have. */
  changesOf(name: string): number {
    return Atomics.load(this.#changes, slotOf(name));
  }
  /** {@linkcode changesOf} for a name that is asked for often. */
  watchChanges(name: string): () => number {
    const changes = this.#changes;
    const slot = slotOf(name);
    return () => Atomics.load(changes, slot);
  }
}

/** Room for what one thread holds, all zero. */
export function newShare(): SharedArrayBuffer {
  return new SharedArrayBuffer(HELD.length * 8);
}

function newBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(BYTES + CHANGE_SLOTS * 4);
}

/** FNV-1a over UTF-16 code units: http://www.isthe.com/chongo/tech/comp/fnv/ */
function slotOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  }
  return (hash ^ (hash >>> 16)) & (CHANGE_SLOTS - 1);
}

function maskedSlot(tool: Tool, trouble: Trouble): number {
  return COUNTERS.length + TOOLS.indexOf(tool) * TROUBLES.length + TROUBLES.indexOf(trouble);
}
