import assert from "node:assert/strict";
import fc from "fast-check";
import { anyText } from "./any_text.ts";

Deno.test("anyText() gives well-formed texts of all planes, and such as break programs", () => {
  const texts = fc.sample(anyText({ maxLength: 20 }), { numRuns: 3000, seed: 1 });
  assert.ok(texts.every((text) => text.isWellFormed()));
  const planes = new Set(
    texts.flatMap((text) => [...text].map((one) => one.codePointAt(0)! >> 16)),
  );
  assert.deepEqual([...planes].sort((a, b) => a - b), Array.from({ length: 17 }, (_, n) => n));
  for (const some of ["\0", "\u{10ffff}"]) {
    assert.ok(texts.some((text) => text.includes(some)), some);
  }
  for (const known of ["__proto__", "toString"]) assert.ok(texts.includes(known), known);
});
