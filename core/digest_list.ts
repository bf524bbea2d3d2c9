/** Many digests as one piece of memory, and one bit for each of them. */
import type { Bytes, Digest } from "./digest.ts";
import { digestBytes, digestFromBytes, EMPTY_DIGEST } from "./digest.ts";

/** Bytes of a digest. */
export const DIGEST_BYTES = 32;

/** The digests one behind the other. */
export function packDigests(digests: readonly Digest[]): Bytes {
  const packed = new Uint8Array(digests.length * DIGEST_BYTES);
  digests.forEach((digest, n) => packed.subarray(n * DIGEST_BYTES).setFromHex(digest.slice(7)));
  return packed;
}

/** The digest with this number. */
export function digestAt(packed: Bytes, n: number): Digest {
  return digestFromBytes(packed.subarray(n * DIGEST_BYTES, (n + 1) * DIGEST_BYTES));
}

const EMPTY = digestBytes(EMPTY_DIGEST);

/** Whether the digest with this number is that of nothing. */
export function isEmptyDigest(packed: Bytes, n: number): boolean {
  for (let at = 0; at < DIGEST_BYTES; at++) {
    if (packed[n * DIGEST_BYTES + at] !== EMPTY[at]) return false;
  }
  return true;
}

/** Sets a bit; the first one is the lowest of the first byte. */
export function setBit(bits: Bytes, n: number): void {
  bits[n >>> 3]! |= 1 << (n & 7);
}

/** Reads a bit. */
export function hasBit(bits: Bytes, n: number): boolean {
  return (bits[n >>> 3]! >>> (n & 7) & 1) === 1;
}
