import assert from "node:assert/strict";
import { utf8 } from "./utf8.ts";

Deno.test("utf8() makes what a TextEncoder makes, of any length, in memory of its own", () => {
  const texts = ["", "a", "ä€😀", "x".repeat(1024), "€".repeat(1024), "😀".repeat(600), "\ud800"];
  const all = texts.map(utf8);
  for (const [n, text] of texts.entries()) {
    assert.deepEqual(all[n], new TextEncoder().encode(text), `${text.length} units`);
    assert.equal(all[n]!.byteOffset, 0);
  }
});
