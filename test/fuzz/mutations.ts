/** Bytes and texts that are nearly right: what a fuzzer of parsers feeds on. */
import fc from "fast-check";
import { anyText } from "../helpers/any_text.ts";

/** One change to bytes. */
type Change = (bytes: Uint8Array) => Uint8Array;

/** Numbers that lengths and counts are overwritten with. */
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

const anywhere = fc.double({ min: 0, max: 1, noNaN: true });
const at = (share: number, length: number) => Math.min(length, Math.floor(share * length));

const change: fc.Arbitrary<Change> = fc.oneof(
  // One bit.
  fc.tuple(anywhere, fc.nat(7)).map(([share, bit]): Change => (bytes) => {
    const copy = bytes.slice();
    if (copy.length > 0) copy[at(share, copy.length - 1)]! ^= 1 << bit;
    return copy;
  }),
  // One byte.
  fc.tuple(anywhere, fc.nat(255)).map(([share, value]): Change => (bytes) => {
    const copy = bytes.slice();
    if (copy.length > 0) copy[at(share, copy.length - 1)] = value;
    return copy;
  }),
  // A number of two, four or eight bytes, in either order.
  fc.tuple(anywhere, fc.constantFrom(...EXTREMES), fc.constantFrom(2, 4, 8), fc.boolean()).map(
    ([share, value, width, little]): Change => (bytes) => {
      const copy = bytes.slice();
      if (copy.length < width) return copy;
      const view = new DataView(copy.buffer);
      const offset = at(share, copy.length - width);
      if (width === 2) view.setUint16(offset, value & 0xffff, little);
      if (width === 4) view.setUint32(offset, value, little);
      if (width === 8) view.setBigUint64(offset, BigInt(value) << 21n, little);
      return copy;
    },
  ),
  // Cut at the end, or in front.
  fc.tuple(anywhere, fc.boolean()).map(([share, front]): Change => (bytes) =>
    front ? bytes.slice(at(share, bytes.length)) : bytes.slice(0, at(share, bytes.length))
  ),
  // Something put in.
  fc.tuple(anywhere, fc.uint8Array({ maxLength: 40 })).map(([share, more]): Change => (bytes) => {
    const offset = at(share, bytes.length);
    return joined(bytes.subarray(0, offset), more, bytes.subarray(offset));
  }),
  // A piece twice, or moved.
  fc.tuple(anywhere, anywhere, anywhere).map(([a, b, c]): Change => (bytes) => {
    const [from, to] = [at(Math.min(a, b), bytes.length), at(Math.max(a, b), bytes.length)];
    const offset = at(c, bytes.length);
    return joined(bytes.subarray(0, offset), bytes.subarray(from, to), bytes.subarray(offset));
  }),
  // Zeros, as a file has them that lost a block.
  fc.tuple(anywhere, anywhere).map(([a, b]): Change => (bytes) =>
    bytes.slice().fill(0, at(Math.min(a, b), bytes.length), at(Math.max(a, b), bytes.length))
  ),
);

function joined(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** One of these with up to four changes, two of them spliced together, or only noise. */
export function nearly(valid: readonly Uint8Array[]): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const one = fc.constantFrom(...valid);
  const changed = fc.tuple(one, fc.array(change, { maxLength: 4 })).map(([bytes, changes]) =>
    changes.reduce((done, next) => next(done), bytes)
  );
  const spliced = fc.tuple(one, one, anywhere, anywhere).map(([a, b, from, to]) =>
    joined(a.subarray(0, at(from, a.length)), b.subarray(at(to, b.length)))
  );
  return fc.oneof(
    { weight: 8, arbitrary: changed },
    { weight: 2, arbitrary: spliced },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  ).map((bytes) => new Uint8Array(bytes));
}

/** As {@linkcode nearly}, for what is text; bytes that are no UTF-8 become U+FFFD. */
export function nearlyText(valid: readonly string[]): fc.Arbitrary<string> {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  return fc.oneof(
    {
      weight: 6,
      arbitrary: nearly(valid.map((text) => encoder.encode(text))).map((b) => decoder.decode(b)),
    },
    { weight: 1, arbitrary: anyText({ maxLength: 60 }) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...valid), HOSTILE).map(([a, b]) => a + b) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...valid), HOSTILE).map(([a, b]) => b + a) },
  );
}

/** Pieces that made other parsers stumble. */
const HOSTILE = fc.constantFrom(
  "..",
  "/../",
  "%2e%2e%2f",
  "%00",
  "\0",
  "%",
  "%zz",
  "%c0%af",
  "\ud800",
  "\u202e",
  "//",
  "\\",
  "?",
  "#",
  "\r\nx: y",
  "9".repeat(400),
  "a".repeat(5000),
  "__proto__",
  '"__proto__":{}',
  "[".repeat(3000),
  "-1",
  "1e999",
  ",",
);
