/**
 * Records with what is known of each, found by kind and id: rows of typed arrays and a hash table.
 * An upload of 20 GiB holds 300,000 of them; as objects in a map they took ten times the memory.
 */
import { kindOfNumber } from "../../codec/record.ts";
import type { RecordCodec } from "../../codec/record.ts";
import type { Bytes } from "../../core/digest.ts";
import type { DataKind } from "../../core/record.ts";
import { KIND_NUMBER } from "../../core/record.ts";
import type { Place } from "./places.ts";

/** `new`: not written. `pending`: written, without a row. `kept`: has a row. */
export type HeldState = "new" | "pending" | "kept";

const STATES: readonly HeldState[] = ["new", "pending", "kept"];
const ID_BYTES = 32;
const FIRST_ROWS = 64;
const MOST_KEPT_ROWS = 4096;
/** No row: the end of a chain. */
const NONE = -1;

/** The rows; a row keeps its number until it is removed. */
export class HeldRecords {
  #capacity = 0;
  #used = 0;
  #size = 0;
  #free = NONE;
  #heads = new Int32Array(0);
  #next = new Int32Array(0);
  #ids = new Uint8Array(0);
  /** Kind, 0 for a free row; state; codec. */
  #kinds = new Uint8Array(0);
  #states = new Uint8Array(0);
  #codecs = new Uint8Array(0);
  #segments = new Uint32Array(0);
  #stored = new Uint32Array(0);
  #raw = new Uint32Array(0);
  #offsets = new Float64Array(0);

  get size(): number {
    return this.#size;
  }

  /** The row of a record; `undefined` if it has none. */
  find(kind: DataKind, id: Uint8Array): number | undefined {
    if (this.#size === 0) return undefined;
    let row = this.#heads[this.#bucket(id)]!;
    while (row !== NONE && !this.#is(row, KIND_NUMBER[kind], id)) row = this.#next[row]!;
    return row === NONE ? undefined : row;
  }

  /** Makes a row for a record that has none. */
  add(kind: DataKind, id: Uint8Array, state: HeldState): number {
    if (this.#free === NONE && this.#used === this.#capacity) this.#grow();
    const row = this.#free === NONE ? this.#used++ : this.#free;
    if (row === this.#free) this.#free = this.#next[row]!;
    this.#size++;
    this.#ids.set(id, row * ID_BYTES);
    this.#kinds[row] = KIND_NUMBER[kind];
    this.setState(row, state);
    this.#link(row, id);
    return row;
  }

  remove(row: number): void {
    const bucket = this.#bucket(this.#idOf(row));
    if (this.#heads[bucket] === row) this.#heads[bucket] = this.#next[row]!;
    else {
      let before = this.#heads[bucket]!;
      while (this.#next[before] !== row) before = this.#next[before]!;
      this.#next[before] = this.#next[row]!;
    }
    this.#kinds[row] = 0;
    this.#size--;
    this.#next[row] = this.#free;
    this.#free = row;
    if (this.#size === 0) this.#empty();
  }

  /** All rows there are. */
  *rows(): Generator<number> {
    for (let row = 0; row < this.#used; row++) if (this.#kinds[row] !== 0) yield row;
  }

  kind(row: number): DataKind {
    return kindOfNumber(this.#kinds[row]!) as DataKind;
  }
  /** A copy. */
  id(row: number): Bytes {
    return this.#idOf(row).slice();
  }
  state(row: number): HeldState {
    return STATES[this.#states[row]!]!;
  }
  setState(row: number, state: HeldState): void {
    this.#states[row] = STATES.indexOf(state);
  }
  place(row: number): Place {
    return {
      segment: this.#segments[row]!,
      offset: this.#offsets[row]!,
      stored: this.#stored[row]!,
      raw: this.#raw[row]!,
      codec: this.#codecs[row] as RecordCodec,
    };
  }
  setPlace(row: number, { segment, offset, stored, raw, codec }: Place): void {
    this.#segments[row] = segment;
    this.#offsets[row] = offset;
    this.#stored[row] = stored;
    this.#raw[row] = raw;
    this.#codecs[row] = codec;
  }
  /** Whether its place is in this segment, at `from` or behind it. */
  standsIn(row: number, segment: number, from: number): boolean {
    return this.#segments[row] === segment && this.#offsets[row]! >= from;
  }

  #idOf(row: number): Bytes {
    return this.#ids.subarray(row * ID_BYTES, (row + 1) * ID_BYTES);
  }
  #is(row: number, kind: number, id: Uint8Array): boolean {
    if (this.#kinds[row] !== kind) return false;
    for (let at = 0, own = row * ID_BYTES; at < ID_BYTES; at++, own++) {
      if (this.#ids[own] !== id[at]) return false;
    }
    return true;
  }
  /** Ids are hashes: any four bytes will do. */
  #bucket(id: Uint8Array): number {
    const hash = id[0]! | (id[1]! << 8) | (id[2]! << 16) | (id[3]! << 24);
    return hash & (this.#heads.length - 1);
  }
  #link(row: number, id: Uint8Array): void {
    const bucket = this.#bucket(id);
    this.#next[row] = this.#heads[bucket]!;
    this.#heads[bucket] = row;
  }

  /** What a large upload needed is given back when it is over. */
  #empty(): void {
    if (this.#capacity > MOST_KEPT_ROWS) return this.#reset(0);
    this.#used = 0;
    this.#free = NONE;
    this.#heads.fill(NONE);
  }

  #grow(): void {
    const size = this.#size;
    this.#reset(Math.max(FIRST_ROWS, this.#capacity * 2), this.#used);
    this.#size = size;
    for (const row of this.rows()) this.#link(row, this.#idOf(row));
  }
  /** Makes room for `capacity` rows, with the first `used` as they are, in no chain. */
  #reset(capacity: number, used = 0): void {
    this.#capacity = capacity;
    this.#used = used;
    this.#size = 0;
    this.#free = NONE;
    this.#heads = new Int32Array(capacity).fill(NONE);
    this.#next = new Int32Array(capacity);
    const copy = <T extends Bytes | Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(
      from: T,
      to: T,
    ): T => {
      to.set(from.subarray(0, Math.min(to.length, from.length)));
      from.buffer.transfer(0); // megabytes that would wait for the collector
      return to;
    };
    this.#ids = copy(this.#ids, new Uint8Array(capacity * ID_BYTES));
    this.#kinds = copy(this.#kinds, new Uint8Array(capacity));
    this.#states = copy(this.#states, new Uint8Array(capacity));
    this.#codecs = copy(this.#codecs, new Uint8Array(capacity));
    this.#segments = copy(this.#segments, new Uint32Array(capacity));
    this.#stored = copy(this.#stored, new Uint32Array(capacity));
    this.#raw = copy(this.#raw, new Uint32Array(capacity));
    this.#offsets = copy(this.#offsets, new Float64Array(capacity));
  }
}
