/** Arbitrary texts for properties. */
import fc from "fast-check";

const SURROGATES = { first: 0xd800, count: 0x800 };

/** One code point, half surrogates apart; small ones and the ends of the range come more often. */
const codePoint: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: 0x10ffff - SURROGATES.count })
  .map(
    (n) => String.fromCodePoint(n < SURROGATES.first ? n : n + SURROGATES.count),
    // Lets the library mix in texts that are known to break programs, such as `__proto__`.
    (text) => {
      const [one, ...more] = typeof text === "string" && text.isWellFormed() ? text : "";
      if (one === undefined || more.length > 0) throw new Error("want one code point");
      const n = one.codePointAt(0)!;
      return n < SURROGATES.first ? n : n - SURROGATES.count;
    },
  );

/**
 * Well-formed texts of any code points. As `fc.string({ unit: "binary" })`, which needs more than a
 * second of processor time before its first text.
 */
export function anyText(
  length: { minLength?: number; maxLength?: number } = {},
): fc.Arbitrary<string> {
  return fc.string({ ...length, unit: codePoint });
}
