/** Puts one message together, little-endian. */
import type { Bytes } from "../../core/digest.ts";
import { RECONCILE_MESSAGE_BYTES } from "../../core/limits.ts";

/** Most messages are small: a whole one's memory would be zeroed for each of them. */
const FIRST_BYTES = 256;

/** Writes into one array that grows; throws `RangeError` for what does not fit, which is a mistake of ours. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  u8(value: number): void {
    const at = this.#take(1);
    this.#view.setUint8(at, value);
  }
  u16(value: number): void {
    const at = this.#take(2);
    this.#view.setUint16(at, value, true);
  }
  u32(value: number): void {
    const at = this.#take(4);
    this.#view.setUint32(at, value, true);
  }
  u64(value: bigint | number): void {
    const at = this.#take(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }
  bytes(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
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
    if (this.#at > this.#bytes.length) this.#grow();
    return at;
  }

  #grow(): void {
    if (this.#at > RECONCILE_MESSAGE_BYTES) {
      throw new RangeError(`a message of ${this.#at} bytes, want ${RECONCILE_MESSAGE_BYTES}`);
    }
    const larger = new Uint8Array(
      Math.min(RECONCILE_MESSAGE_BYTES, Math.max(this.#at, 2 * this.#bytes.length)),
    );
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
