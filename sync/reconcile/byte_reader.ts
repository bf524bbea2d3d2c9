/** Takes one message apart and trusts nothing of it. */
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";

/** The error for whatever a peer must not send. */
export function badMessage(problem: string): CacheError {
  return new CacheError("invalid_argument", `Cannot compare with the peer: ${problem}`, {
    operation: "reconcile.receive",
  });
}

/** Reads from the front, little-endian. @throws {CacheError} `invalid_argument` when it ends early */
export class ByteReader {
  readonly #bytes: Bytes;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** A whole number that is at most `limit`. */
  count(limit: number): number {
    const value = this.u64();
    if (value > BigInt(limit)) throw badMessage(`a number is ${value}, want at most ${limit}`);
    return Number(value);
  }

  bytes(length: number): Bytes {
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }
  hex(length: number): string {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length).toHex();
  }

  /** See `ByteWriter.varint`; in the one form that is as short as can be, below 2^48. */
  varint(): number {
    let value = 0;
    for (let unit = 1; unit < 2 ** 49; unit *= 128) {
      const byte = this.u8();
      value += byte % 128 * unit;
      if (byte >= 128) continue;
      if ((byte === 0 && unit > 1) || value >= 2 ** 48) break;
      return value;
    }
    throw badMessage("a number of its list is malformed");
  }

  /** See `ByteWriter.bits`; bits that stand for nothing must be zero. */
  bits(count: number): boolean[] {
    const packed = this.bytes(Math.ceil(count / 8));
    const bits = Array.from({ length: count }, (_, at) => (packed[at >> 3]! >> (at & 7) & 1) === 1);
    if (count % 8 !== 0 && packed.at(-1)! >> (count % 8) !== 0) {
      throw badMessage("bits are set that stand for nothing");
    }
    return bits;
  }

  /** Nothing must be left. */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw badMessage(`a message has ${left} bytes too many`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) {
      throw badMessage(`a message of ${this.#bytes.length} bytes ends too early`);
    }
    this.#at += length;
    return at;
  }
}
