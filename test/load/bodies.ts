/** Bodies that nobody has to keep: each is made again from its number when it comes back. */

const MIB = 1024 * 1024;
/** The prime below 2^20 is no divisor of anything, so that neighbours share no bytes in step. */
const STEP = 1_048_573;
const STAMP_EVERY = 4096;

let noise: Uint8Array | undefined;

function template(): Uint8Array {
  if (noise) return noise;
  noise = new Uint8Array(2 * MIB);
  // xorshift32: the same bytes in every process, and no zstd makes them smaller.
  let state = 0x9e3779b9;
  const words = new Uint32Array(noise.buffer);
  for (let at = 0; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return noise;
}

/**
 * Fills `into` with the bytes of body `number` from `offset` on, which divides by 4096. No two
 * stretches of 4 KiB are equal, in one body or two.
 */
export function fillBody(into: Uint8Array, number: number, offset = 0): void {
  const source = template();
  for (let at = 0; at < into.length;) {
    const from = (number * 7919 + Math.floor((offset + at) / MIB) * STEP) % MIB & ~7;
    const end = Math.min(into.length, at + MIB - (offset + at) % MIB);
    const skip = (offset + at) % MIB;
    into.set(source.subarray(from + skip, from + skip + end - at), at);
    at = end;
  }
  const view = new DataView(into.buffer, into.byteOffset, into.length);
  for (let at = 0; at + 16 <= into.length; at += STAMP_EVERY) {
    view.setFloat64(at, number);
    view.setFloat64(at + 8, offset + at);
  }
}

/** The whole body `number` of `size` bytes; two small ones of one size differ in 16 bytes at least. */
export function bodyOf(number: number, size: number): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(size);
  fillBody(body, number);
  return body;
}
