/** Which small blobs are here, and who sees them: a table that all threads share. */
import type { Bytes } from "./digest.ts";

/** What the table knows. `unknown`: ask whoever has it on the disk. */
export type Known = "here" | "missing" | "unknown";

/** Three words of the id, and one of flags and the number of the namespace that sees it. */
const SLOT_WORDS = 4;
/** In front of the slots: the words named here. */
const HEAD_WORDS = 16;
/** Whether all rows were learned; how often the slots were moved; their number; two secrets. */
const [STATE, MOVES, SLOTS, SEED_A, SEED_B] = [0, 1, 2, 3, 4];
/** Only a complete table answers. */
const [LEARNING, COMPLETE, GIVEN_UP] = [0, 1, 2];

const NAMESPACE = 0xff_ffff;
/** In place of a namespace's number: several see it, or nobody can tell. */
const SEVERAL = NAMESPACE;
const LOCATED = 1 << 24;
const LARGE = 1 << 25;
/** What was told while the rows were read counts more than a row, which may be older. */
const VISIBLE_TOLD = 1 << 26;
const LOCATED_TOLD = 1 << 27;
const USED = 1 << 28;

const LEAST_SLOTS = 65_536;
/** 128 MiB: beyond, the table is given up and every look-up goes to the disk. */
const MOST_SLOTS = 8_388_608;
/** The part of the slots that may be used before the table is made larger. */
const FULL = 0.75;
/** Room for so many times the blobs that are here is made then. */
const GROWTH = 1.6;

/** A view of the table for questions; for each thread one. */
export class KnownBlobs {
  readonly #buffer: SharedArrayBuffer;
  #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#buffer = buffer;
    this.#words = viewOf(buffer);
  }

  /** Whether a namespace, by its number, sees the blob whose digest stands at `at`, and it is here. */
  ask(namespace: number, ids: Bytes, at = 0): Known {
    let words = this.#words;
    const moves = Atomics.load(words, MOVES);
    if (Atomics.load(words, STATE) !== COMPLETE) return "unknown";
    const slots = Atomics.load(words, SLOTS);
    if (words.length < wordsOf(slots)) words = this.#words = viewOf(this.#buffer);
    const slot = findSlot(words, slots, wordsAt(ids, at));
    const flags = slot < 0 ? 0 : Atomics.load(words, slot + 3);
    // Slots that were moved meanwhile prove nothing. While they are, the number is odd.
    if (moves % 2 !== 0 || Atomics.load(words, MOVES) !== moves) return "unknown";
    const sees = flags & NAMESPACE;
    if (sees === SEVERAL) return "unknown";
    if (sees === 0 || sees !== namespace) return "missing";
    if ((flags & LARGE) !== 0) return "unknown";
    return (flags & LOCATED) !== 0 ? "here" : "missing";
  }
}

/** The writer's hand on the table. Each call holds for all threads at once. */
export class KnownBlobsWriter {
  /** For {@linkcode KnownBlobs} of any thread. */
  readonly buffer: SharedArrayBuffer;
  #words: Int32Array;
  #used = 0;

  /** An empty table with room for so many blobs; it grows by itself. */
  constructor(blobs: number) {
    const slots = slotsFor(blobs);
    this.buffer = new SharedArrayBuffer(bytesOf(slots), { maxByteLength: bytesOf(MOST_SLOTS) });
    this.#words = viewOf(this.buffer);
    this.#words[SLOTS] = slots;
    this.#words.set(crypto.getRandomValues(new Int32Array(2)), SEED_A);
  }

  /** A namespace sees this blob from now on. `large`: it is no single chunk. */
  show(namespace: number, id: Bytes, large: boolean): void {
    this.#change(id, (flags) => {
      const before = flags & NAMESPACE;
      const sees = before === 0 ? numberOf(namespace) : before === namespace ? before : SEVERAL;
      return flags & ~NAMESPACE | sees | VISIBLE_TOLD | (large ? LARGE : 0);
    });
  }

  /** A namespace no longer sees this blob. */
  hide(namespace: number, id: Bytes): void {
    this.#change(id, (flags) => {
      const sees = (flags & NAMESPACE) === namespace ? 0 : flags & NAMESPACE;
      return flags & ~NAMESPACE | sees | VISIBLE_TOLD;
    });
  }

  /** The chunk of this name is here. */
  locate(id: Bytes): void {
    this.#change(id, (flags) => flags | LOCATED | LOCATED_TOLD);
  }

  /** It is no longer here. */
  lose(id: Bytes): void {
    this.#change(id, (flags) => flags & ~LOCATED | LOCATED_TOLD);
  }

  /** As {@linkcode show}, from a row that may be older than what was told. */
  learnShown(namespace: number, id: Bytes, large: boolean): void {
    this.#change(id, (flags) => {
      const before = flags & NAMESPACE;
      const same = before === namespace;
      const first = before === 0 && (flags & VISIBLE_TOLD) === 0;
      const sees = first ? numberOf(namespace) : same ? before : SEVERAL;
      return flags & ~NAMESPACE | sees | (large ? LARGE : 0);
    });
  }

  /** As {@linkcode locate}, from a row that may be older than what was told. */
  learnLocated(id: Bytes): void {
    this.#change(id, (flags) => (flags & LOCATED_TOLD) === 0 ? flags | LOCATED : flags);
  }

  /** Whether the chunk of this name is certainly not here. False also while nobody can tell. */
  lacks(id: Uint8Array): boolean {
    return (this.#flagsOf(id) & LOCATED) === 0;
  }

  /** Whether certainly no namespace sees the blob of this name. False while nobody can tell. */
  isUnseen(id: Uint8Array): boolean {
    return (this.#flagsOf(id) & NAMESPACE) === 0;
  }

  /** Says that all rows were learned: what is not in the table is not here. */
  complete(): void {
    Atomics.compareExchange(this.#words, STATE, LEARNING, COMPLETE);
  }

  /** All bits while the table does not answer. Only this thread moves slots. */
  #flagsOf(id: Uint8Array): number {
    const words = this.#words;
    if (words[STATE] !== COMPLETE) return -1;
    const slot = findSlot(words, words[SLOTS]!, wordsAt(id));
    return slot < 0 ? 0 : words[slot + 3]!;
  }

  #change(id: Bytes, change: (flags: number) => number): void {
    let words = this.#words;
    if (words[STATE] === GIVEN_UP) return;
    const name = wordsAt(id);
    const { first, second, third } = name;
    let slot = findSlot(words, words[SLOTS]!, name);
    if (slot < 0) {
      if (this.#used >= words[SLOTS]! * FULL && !this.#grow()) return;
      words = this.#words;
      slot = freeSlot(words, first, second);
      Atomics.store(words, slot, first);
      Atomics.store(words, slot + 1, second);
      Atomics.store(words, slot + 2, third);
      this.#used++;
    }
    // Last: with it the slot is one.
    Atomics.store(words, slot + 3, change(words[slot + 3]!) | USED);
  }

  /** More room, without what nobody sees and nothing holds; false when there can be none. */
  #grow(): boolean {
    let words = this.#words;
    // What was lost or hidden must be remembered as such until all rows were read.
    const learning = words[STATE] === LEARNING;
    const all = words.slice(HEAD_WORDS, HEAD_WORDS + words[SLOTS]! * SLOT_WORDS);
    const live: number[] = [];
    for (let at = 0; at < all.length; at += SLOT_WORDS) {
      const flags = all[at + 3]!;
      const counts = (flags & NAMESPACE) !== 0 || (flags & LOCATED) !== 0;
      if (flags !== 0 && (learning || counts)) live.push(at);
    }
    const slots = Math.max(words[SLOTS]!, slotsFor(live.length * GROWTH));
    if (live.length >= slots * FULL) {
      Atomics.store(words, STATE, GIVEN_UP);
      return false;
    }
    Atomics.add(words, MOVES, 1);
    if (bytesOf(slots) > this.buffer.byteLength) {
      this.buffer.grow(bytesOf(slots));
      words = this.#words = viewOf(this.buffer);
    }
    words.fill(0, HEAD_WORDS);
    Atomics.store(words, SLOTS, slots);
    for (const at of live) {
      words.set(all.subarray(at, at + SLOT_WORDS), freeSlot(words, all[at]!, all[at + 1]!));
    }
    this.#used = live.length;
    Atomics.add(words, MOVES, 1);
    return true;
  }
}

/**
 * All that is there now. Of a fixed length: of a view that grows with its buffer, each word takes a
 * call of the runtime.
 */
function viewOf(buffer: SharedArrayBuffer): Int32Array {
  return new Int32Array(buffer, 0, buffer.byteLength / 4);
}

function wordsOf(slots: number): number {
  return HEAD_WORDS + slots * SLOT_WORDS;
}

function bytesOf(slots: number): number {
  return wordsOf(slots) * 4;
}

function slotsFor(blobs: number): number {
  return Math.min(MOST_SLOTS, Math.max(LEAST_SLOTS, Math.ceil(blobs * 1.6)));
}

/** A number too large for its bits says that somebody must be asked. */
function numberOf(namespace: number): number {
  return namespace > 0 && namespace < SEVERAL ? namespace : SEVERAL;
}

/** Digests are chosen by clients, so where they stand hangs on words that no client knows. */
function home(words: Int32Array, slots: number, first: number, second: number): number {
  const mixed = Math.imul(first ^ words[SEED_A]!, 0x9e3779b1) ^
    Math.imul(second ^ words[SEED_B]!, 0x85ebca77);
  return HEAD_WORDS + Math.floor((mixed >>> 0) / 4_294_967_296 * slots) * SLOT_WORDS;
}

/** The part of an id that stands in a slot. */
interface IdWords {
  readonly first: number;
  readonly second: number;
  readonly third: number;
}

/**
 * The slot of an id; below 0 if it has none. Three words are 96 bits of a digest: nobody finds
 * another one with them for a digest that is given.
 */
function findSlot(words: Int32Array, slots: number, { first, second, third }: IdWords): number {
  const end = wordsOf(slots);
  for (let slot = home(words, slots, first, second);;) {
    if (Atomics.load(words, slot + 3) === 0) return -1;
    if (
      Atomics.load(words, slot) === first && Atomics.load(words, slot + 1) === second &&
      Atomics.load(words, slot + 2) === third
    ) return slot;
    slot += SLOT_WORDS;
    if (slot >= end) slot = HEAD_WORDS;
  }
}

function freeSlot(words: Int32Array, first: number, second: number): number {
  const slots = words[SLOTS]!;
  const end = wordsOf(slots);
  let slot = home(words, slots, first, second);
  while (words[slot + 3] !== 0) {
    slot += SLOT_WORDS;
    if (slot >= end) slot = HEAD_WORDS;
  }
  return slot;
}

function wordsAt(id: Uint8Array, at = 0): IdWords {
  return { first: wordAt(id, at), second: wordAt(id, at + 4), third: wordAt(id, at + 8) };
}

function wordAt(ids: Uint8Array, at: number): number {
  return ids[at]! | ids[at + 1]! << 8 | ids[at + 2]! << 16 | ids[at + 3]! << 24;
}
