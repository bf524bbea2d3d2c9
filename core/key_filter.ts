/** Which entries are certainly not here: a Bloom filter that all threads share. */
import type { EntryId } from "./entry.ts";

/** Bits for each id that it is made for: of 1,000 that are not here, 2 look as if they were. */
const BITS_PER_ID = 16;
/** The bits of an id stand in one cache line, so that a question costs one read of memory. */
const BLOCK_WORDS = 16;
/** Ids that the smallest filter is made for. Ids beyond make it less useful, never wrong. */
const LEAST_IDS = 1_048_576;
/** Ids that the largest filter is made for: 128 MiB. */
const MOST_IDS = 67_108_864;
/** In front of the bits; the first word says whether all ids are in. */
const HEAD_WORDS = BLOCK_WORDS;

/**
 * Ids of entries, tombstones included, in a SharedArrayBuffer. Ids are only ever added: by the one
 * writer, before a change is acknowledged. It answers nothing before {@linkcode complete}.
 *
 * Ids are keyed hashes whose key no client knows, so their own bits are taken as hash values.
 */
export class KeyFilter {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #lastBlock: number;

  /** A view of another thread's filter. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#lastBlock = (this.#words.length - HEAD_WORDS) / BLOCK_WORDS - 1;
  }

  /** An empty one that is good for twice as many ids as there are now. */
  static create(ids: number): KeyFilter {
    const wanted = Math.min(MOST_IDS, Math.max(LEAST_IDS, 2 * ids));
    const blocks = 2 ** Math.ceil(Math.log2(wanted * BITS_PER_ID / 32 / BLOCK_WORDS));
    return new KeyFilter(new SharedArrayBuffer((HEAD_WORDS + blocks * BLOCK_WORDS) * 4));
  }

  /** Adds an id; from then on no thread is told that it is not here. */
  add(id: EntryId): void {
    const at = this.#blockOf(id);
    for (let part = 0; part < 2; part++) {
      let bits = wordAt(id, 4 + 4 * part);
      for (let n = 0; n < 3; n++, bits >>>= 9) {
        Atomics.or(this.#words, at + (bits >>> 5 & 15), 1 << (bits & 31));
      }
    }
  }

  /** Says that every id of the index has been added, so that what is missing is not here. */
  complete(): void {
    Atomics.store(this.#words, 0, 1);
  }

  /** Whether this id was certainly never written. False also while nobody can tell. */
  excludes(id: EntryId): boolean {
    if (Atomics.load(this.#words, 0) !== 1) return false;
    const at = this.#blockOf(id);
    for (let part = 0; part < 2; part++) {
      let bits = wordAt(id, 4 + 4 * part);
      for (let n = 0; n < 3; n++, bits >>>= 9) {
        if ((Atomics.load(this.#words, at + (bits >>> 5 & 15)) & 1 << (bits & 31)) === 0) {
          return true;
        }
      }
    }
    return false;
  }

  #blockOf(id: EntryId): number {
    return HEAD_WORDS + (wordAt(id, 0) & this.#lastBlock) * BLOCK_WORDS;
  }
}

function wordAt(id: EntryId, at: number): number {
  return id[at]! | id[at + 1]! << 8 | id[at + 2]! << 16 | id[at + 3]! << 24;
}
