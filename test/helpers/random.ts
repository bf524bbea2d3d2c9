/** Seeded randomness, so that a failed run can be repeated. */

/** A generator with a printed seed. */
export interface SeededRandom {
  readonly seed: number;
  /** 0 ≤ x < 1. */
  next(): number;
  /** An integer, `low` ≤ x < `high`. */
  integer(low: number, high: number): number;
  /** Bytes that do not compress. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/** A generator seeded by `name`'s environment variable, else at random; prints the seed. */
export function seededRandom(name: string): SeededRandom {
  const seed = Number(Deno.env.get(name) ?? Math.floor(Math.random() * 2 ** 31));
  console.info(`seed: ${name}=${seed}`);
  return randomOf(seed);
}

/**
 * xorshift128+ (Vigna 2014). Each `name` has a sequence of its own: what draws from one does not
 * depend on how much is drawn from another, nor on what runs first.
 */
export function randomOf(seed: number, name = ""): SeededRandom {
  let s0 = BigInt(seed) * 0x9e3779b97f4a7c15n + 1n & MASK;
  let s1 = BigInt(seed) ^ 0xd1b54a32d192ed03n;
  // FNV-1a.
  for (const byte of new TextEncoder().encode(name)) s1 = (s1 ^ BigInt(byte)) * PRIME & MASK;
  const draw = (): bigint => {
    let x = s0;
    const y = s1;
    s0 = y;
    x = (x ^ x << 23n) & MASK;
    s1 = x ^ y ^ x >> 17n ^ y >> 26n;
    return (s1 + y) & MASK;
  };
  // The first draws of names that are nearly alike would be, too.
  if (name !== "") { for (let n = 0; n < 16; n++) draw(); }
  const next = () => Number(draw() >> 11n) / 2 ** 53;
  return {
    seed,
    next,
    integer: (low, high) => low + Math.floor(next() * (high - low)),
    bytes(length) {
      const words = new Uint32Array(Math.ceil(length / 4));
      let state = Number(draw() & 0xffffffffn) || 1;
      for (let i = 0; i < words.length; i++) {
        // xorshift32: fast, and random enough not to compress.
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        words[i] = state;
      }
      return new Uint8Array(words.buffer, 0, length);
    },
  };
}

/**
 * What this process draws from the system, such as names of segments and ids of tokens, comes from
 * the seed from here on: for a process that does nothing but one test.
 */
export function seedProcess(seed: number, name = ""): void {
  const random = randomOf(seed, `process ${name}`);
  crypto.getRandomValues = (array) => {
    const { buffer, byteOffset, byteLength } = array as ArrayBufferView;
    new Uint8Array(buffer, byteOffset, byteLength).set(random.bytes(byteLength));
    return array;
  };
  crypto.randomUUID = () => {
    const hex = random.bytes(16).toHex();
    const [a, b, c, d, e] = [0, 8, 12, 16, 20].map((at, n, all) => hex.slice(at, all[n + 1]));
    return `${a!}-${b!}-${c!}-${d!}-${e!}`;
  };
}

const MASK = (1n << 64n) - 1n;
const PRIME = 0x100000001b3n;
