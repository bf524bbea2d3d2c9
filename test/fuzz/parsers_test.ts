/**
 * Every parser of what another party wrote, fed with what is nearly right. It answers or throws a
 * `CacheError`, nothing else; what it took it writes as the same again.
 * `VITTE_FUZZ_RUNS` is how many inputs each of them gets.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { BINARY_PARSERS } from "./binary_parsers.ts";
import { nearly, nearlyText } from "./mutations.ts";
import { TEXT_PARSERS } from "./text_parsers.ts";

const RUNS = Number(Deno.env.get("VITTE_FUZZ_RUNS") ?? 300);
/** No input of a few kilobytes may cost more. */
const MOST_MS = 1000;

/** Runs a parser; `undefined` where it refuses. Any other error than a `CacheError` goes through. */
function taken<T>(parse: () => T): { value: T } | undefined {
  const began = performance.now();
  try {
    return { value: parse() };
  } catch (thrown) {
    if (!(thrown instanceof CacheError)) throw thrown;
    assert.notEqual(thrown.kind, "internal", thrown.message);
    return undefined;
  } finally {
    const ms = performance.now() - began;
    assert.ok(ms < MOST_MS, `it took ${ms} ms`);
  }
}

for (const [name, parser] of Object.entries(BINARY_PARSERS)) {
  Deno.test(`fuzz: ${name}: ${RUNS} inputs are read or refused`, () => {
    for (const valid of parser.valid) {
      assert.ok(taken(() => parser.parse(new Uint8Array(valid))), "what is right is read");
    }
    let read = 0;
    const { reseal = (bytes: Bytes) => bytes, encode } = parser;
    const input = fc.tuple(nearly(parser.valid), fc.boolean());
    fc.assert(
      fc.property(input, ([bytes, sealed]) => {
        const found = taken(() => parser.parse(sealed ? reseal(bytes) : bytes));
        if (found?.value === undefined) return;
        read++;
        if (!encode) return;
        const again = taken(() => parser.parse(encode(found.value as never)));
        assert.deepEqual(again?.value, found.value);
      }),
      { numRuns: RUNS },
    );
    console.info(`${name}: ${RUNS} inputs, ${read} read, ${RUNS - read} refused`);
  });
}

for (const [name, parser] of Object.entries(TEXT_PARSERS)) {
  Deno.test(`fuzz: ${name}: ${RUNS} texts are read or refused`, () => {
    for (const valid of parser.valid) {
      assert.ok(taken(() => parser.parse(valid)), `what is right is read: ${valid}`);
    }
    let read = 0;
    fc.assert(
      fc.property(nearlyText(parser.valid), (text) => {
        if (taken(() => parser.parse(text))) read++;
      }),
      { numRuns: RUNS },
    );
    console.info(`${name}: ${RUNS} texts, ${read} read, ${RUNS - read} refused`);
  });
}
