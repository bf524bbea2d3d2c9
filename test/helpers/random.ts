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

/** xorshift128+ (Vigna 2014) seeded by `name`'s environment variable, else at random. */
export function seededRandom(name: string): SeededRandom {
  const seed = Number(Deno.env.get(name) ?? Math.floor(Math.random() * 2 ** 31));
  console.info(`seed: ${name}=${seed}`);
  let s0 = BigInt(seed) * 0x9e3779b97f4a7c15n + 1n & MASK;
  let s1 = BigInt(seed) ^ 0xd1b54a32d192ed03n;
  const draw = (): bigint => {
    let x = s0;
    const y = s1;
    s0 = y;
    x = (x ^ x << 23n) & MASK;
    s1 = x ^ y ^ x >> 17n ^ y >> 26n;
    return (s1 + y) & MASK;
  };
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

const MASK = (1n << 64n) - 1n;
