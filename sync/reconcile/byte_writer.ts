/** Puts one message together, little-endian. */
import type { Bytes } from "../../core/digest.ts";
import { RECONCILE_MESSAGE_BYTES } from "../../core/limits.ts";

/** Writes into one array; throws `RangeError` for what does not fit, which is a mistake of ours. */
export class ByteWriter {
  readonly #bytes = new Uint8Array(RECONCILE_MESSAGE_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #at = 0;

  u8(value: number): void {
    this.#view.setUint8(this.#take(1), value);
  }
  u16(value: number): void {
    this.#view.setUint16(this.#take(2), value, true);
  }
  u32(value: number): void {
    this.#view.setUint32(this.#take(4), value, true);
  }
  u64(value: bigint | number): void {
    this.#view.setBigUint64(this.#take(8), BigInt(value), true);
  }
  bytes(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#take(bytes.length));
  }
  hex(hex: string): void {
    this.bytes(Uint8Array.fromHex(hex));
  }

  /** A whole number in parts of 7 bits, the lowest first; the highest bit says that more follow. */
  varint(value: number): void {
    while (value >= 128) {
      this.u8(value % 128 + 128);
      value = Math.floor(value / 128);
    }
    this.u8(value);
  }

  /** One bit each, the first in the lowest bit of the first byte. */
  bits(bits: readonly boolean[]): void {
    const packed = new Uint8Array(Math.ceil(bits.length / 8));
    bits.forEach((bit, at) => {
      if (bit) packed[at >> 3]! |= 1 << (at & 7); // in range
    });
    this.bytes(packed);
  }

  /** What was written. */
  done(): Bytes {
    return this.#bytes.slice(0, this.#at);
  }

  #take(length: number): number {
    const at = this.#at;
    this.#at += length;
    return at;
  }
}
