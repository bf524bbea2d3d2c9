/**
 * SHA-256, FIPS 180-4, block by block: for messages of a few blocks behind one that is known. A hash
 * object of the runtime costs as much as four blocks here, and leaves a kilobyte behind.
 */

/** The eight words between two blocks. */
export type HashState = Int32Array;

/** Bytes of a block. */
export const BLOCK_BYTES = 64;
const LENGTH_BYTES = 8;

/** The first 32 bits of the fractions of the cube roots of the first 64 primes. */
const ROUND_WORDS = new Int32Array(64);
/** Of the square roots of the first eight. */
const FIRST_STATE: HashState = new Int32Array(8);
for (let prime = 2, count = 0; count < 64; prime++) {
  if (!isPrime(prime)) continue;
  if (count < 8) FIRST_STATE[count] = fraction(Math.sqrt(prime));
  ROUND_WORDS[count++] = fraction(Math.cbrt(prime));
}

/** Where a block is spread out; a call is over before the next one begins. */
const words = new Int32Array(64);

/** The state before the first block. */
export function firstState(): HashState {
  return FIRST_STATE.slice();
}

/** Makes `to` the same as `from`: eight words are too few for `set`. */
export function copyState(from: HashState, to: HashState): void {
  for (let n = 0; n < 8; n++) to[n] = from[n]!;
}

/**
 * Ends a message of which `before` bytes, whole blocks, made `state`, and `length` bytes stand in
 * `room`: pads it there, for which there must be {@linkcode paddedLength} bytes, and hashes the rest.
 */
export function endMessage(
  state: HashState,
  room: Uint8Array,
  sizes: { readonly before: number; readonly length: number },
): void {
  const { before, length } = sizes;
  const end = paddedLength(length);
  room[length] = 0x80;
  for (let at = length + 1; at < end - 4; at++) room[at] = 0;
  const bits = (before + length) * 8;
  room[end - 4] = bits >>> 24;
  room[end - 3] = bits >>> 16;
  room[end - 2] = bits >>> 8;
  room[end - 1] = bits;
  for (let at = 0; at < end; at += BLOCK_BYTES) addBlock(state, room, at);
}

/** Bytes that a message has with its padding: whole blocks. */
export function paddedLength(length: number): number {
  return Math.ceil((length + 1 + LENGTH_BYTES) / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Writes a state as its 32 bytes. */
export function writeState(state: HashState, to: Uint8Array, at = 0): void {
  for (const word of state) {
    to[at++] = word >>> 24;
    to[at++] = word >>> 16;
    to[at++] = word >>> 8;
    to[at++] = word;
  }
}

/** Takes one block into the state. */
export function addBlock(state: HashState, bytes: Uint8Array, at: number): void {
  for (let n = 0; n < 16; n++, at += 4) {
    words[n] = bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
  }
  for (let n = 16; n < 64; n++) {
    const x = words[n - 15]!;
    const y = words[n - 2]!;
    const small = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
    const large = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
    words[n] = (words[n - 16]! + small | 0) + (words[n - 7]! + large | 0) | 0;
  }
  let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!;
  let e = state[4]!, f = state[5]!, g = state[6]!, h = state[7]!;
  for (let n = 0; n < 64; n++) {
    const sumE = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
    const choice = e & f ^ ~e & g;
    const first = (h + sumE | 0) + (choice + (ROUND_WORDS[n]! + words[n]! | 0) | 0) | 0;
    const sumA = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
    const second = sumA + (a & b ^ a & c ^ b & c) | 0;
    h = g, g = f, f = e;
    e = d + first | 0;
    d = c, c = b, b = a;
    a = first + second | 0;
  }
  state[0] = state[0]! + a;
  state[1] = state[1]! + b;
  state[2] = state[2]! + c;
  state[3] = state[3]! + d;
  state[4] = state[4]! + e;
  state[5] = state[5]! + f;
  state[6] = state[6]! + g;
  state[7] = state[7]! + h;
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) {
    if (number % divisor === 0) return false;
  }
  return true;
}

function fraction(value: number): number {
  return (value - Math.floor(value)) * 2 ** 32 | 0;
}
