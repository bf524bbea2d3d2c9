/**
 * The innermost loop of the chunker in WebAssembly, which has the 64-bit numbers that JavaScript
 * lacks: a byte takes half of the time. The module is put together here, instruction by
 * instruction, so that nothing is loaded and nobody has to trust a blob.
 */
import type { Bytes } from "../core/digest.ts";
import type { GearMask, GearTable } from "./gear.ts";

/** Where things stand in the memory of the module: hash, mask, 256 entries, then bytes. */
const HASH_AT = 0;
const MASK_AT = 8;
const GEAR_AT = 16;
const BYTES_AT = GEAR_AT + 256 * 8;
/** One page of WebAssembly. */
const MEMORY_BYTES = 64 * 1024;
/** Bytes that are looked at in one call; they are copied here, and are still in the cache then. */
const SLICE_BYTES = 32 * 1024;

/** Opcodes, as https://webassembly.github.io/spec/core/binary/instructions.html has them. */
const [LOOP, IF, BRANCH_IF, RETURN, END, VOID] = [0x03, 0x04, 0x0d, 0x0f, 0x0b, 0x40];
const [GET, SET, TEE, I32_CONST, I64_CONST] = [0x20, 0x21, 0x22, 0x41, 0x42];
const [I64_LOAD, I32_LOAD8, I64_STORE] = [0x29, 0x2d, 0x37];
const [I32_LESS, I32_ADD, I32_SHL] = [0x49, 0x6a, 0x74];
const [I64_IS_0, I64_ADD, I64_AND, I64_SHL] = [0x50, 0x7c, 0x83, 0x86];
const [I32, I64] = [0x7f, 0x7e];
/** Two parameters and two variables of the one function. */
const [AT, TO, HASH, MASK] = [0, 1, 2, 3];

/** LEB128 of a small number that is not negative; signed numbers up to 63 look the same. */
function uint(number: number): number[] {
  return number < 128 ? [number] : [number & 127 | 128, ...uint(number >>> 7)];
}

/** Takes in the byte `ahead` of `AT`; returns its place if the hash is 0 under the mask. */
function step(ahead: number): number[] {
  return [
    ...[GET, HASH, I64_CONST, 1, I64_SHL],
    ...[GET, AT, I32_LOAD8, 0, ...uint(ahead), I32_CONST, 3, I32_SHL],
    ...[I64_LOAD, 3, ...uint(GEAR_AT), I64_ADD, TEE, HASH],
    ...[GET, MASK, I64_AND, I64_IS_0, IF, VOID],
    ...[GET, AT, I32_CONST, ahead, I32_ADD, RETURN, END],
  ];
}

/** From `AT` to `TO`, which are two bytes or a multiple of it apart. -1 keeps the hash for later. */
const WALK = [
  ...[I32_CONST, HASH_AT, I64_LOAD, 3, 0, SET, HASH],
  ...[I32_CONST, MASK_AT, I64_LOAD, 3, 0, SET, MASK],
  ...[LOOP, VOID, ...step(0), ...step(1), GET, AT, I32_CONST, 2, I32_ADD, TEE, AT],
  ...[GET, TO, I32_LESS, BRANCH_IF, 0, END],
  ...[I32_CONST, HASH_AT, GET, HASH, I64_STORE, 3, 0, I32_CONST, 0x7f, END],
];

function section(id: number, content: readonly number[]): number[] {
  return [id, ...uint(content.length), ...content];
}

function moduleBytes(): Bytes {
  const text = (name: string) => [name.length, ...new TextEncoder().encode(name)];
  const body = [1, 2, I64, ...WALK];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, I32, I32, 1, I32]),
    ...section(3, [1, 0]),
    ...section(5, [1, 1, 1, 1]),
    ...section(7, [2, ...text("memory"), 2, 0, ...text("walk"), 0, 0]),
    ...section(10, [1, ...uint(body.length), ...body]),
  ]);
}

/** The module of this thread. Between two calls it keeps only whose table it has. */
export class GearWalk {
  readonly #walk: (at: number, to: number) => number;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  #gear: GearTable | undefined;

  private constructor() {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()));
    const { buffer } = exports["memory"] as WebAssembly.Memory;
    this.#walk = exports["walk"] as (at: number, to: number) => number;
    this.#bytes = new Uint8Array(buffer, BYTES_AT, MEMORY_BYTES - BYTES_AT);
    this.#words = new Int32Array(buffer);
  }

  /** `undefined` where there is no WebAssembly, or no room for its memory. */
  static open(): GearWalk | undefined {
    try {
      return new GearWalk();
    } catch {
      return undefined; // a runtime without compiler, a limit of addresses: JavaScript can do it too
    }
  }

  /** Begins a chunk. */
  begin(gear: GearTable): void {
    if (this.#gear !== gear) {
      for (let n = 0; n < 256; n++) {
        this.#put(GEAR_AT + n * 8, { low: gear.low[n]!, high: gear.high[n]! });
      }
      this.#gear = gear;
    }
    this.#put(HASH_AT, { low: 0, high: 0 });
  }

  /**
   * Goes on to the first position from `from` on, before `to`, whose hash is 0 under the mask; -1 if
   * there is none. An even number of bytes.
   */
  next(bytes: Uint8Array, mask: GearMask, { from, to }: { from: number; to: number }): number {
    this.#put(MASK_AT, mask);
    for (let at = from; at < to; at += SLICE_BYTES) {
      const slice = bytes.subarray(at, Math.min(to, at + SLICE_BYTES));
      this.#bytes.set(slice);
      const found = this.#walk(BYTES_AT, BYTES_AT + slice.length);
      if (found >= 0) return at + found - BYTES_AT;
    }
    return -1;
  }

  /** 48 bits, little-endian; above is nothing that a mask looks at. */
  #put(at: number, { low, high }: GearMask): void {
    this.#words[at / 4] = high << 16 | low;
    this.#words[at / 4 + 1] = high >>> 16;
  }
}
