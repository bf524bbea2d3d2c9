import assert from "node:assert/strict";
import { cut } from "./slab.ts";
import { utf8 } from "./utf8.ts";

Deno.test("utf8() makes what a TextEncoder makes, of any length, in memory that stays as it is", () => {
  const texts = ["", "a", "ä€😀", "x".repeat(1024), "€".repeat(1024), "😀".repeat(600), "\ud800"];
  const all = texts.map(utf8);
  for (const [n, text] of texts.entries()) {
    assert.deepEqual(all[n], new TextEncoder().encode(text), `${text.length} units`);
  }
});

Deno.test("cut() hands out zeros that no other piece shares, of any length", () => {
  const pieces = Array.from({ length: 2000 }, (_, n) => cut(n * 7 % 300));
  pieces.push(cut(100_000));
  for (const [n, piece] of pieces.entries()) {
    assert.ok(piece.every((byte) => byte === 0), `piece ${n} is not used by another`);
    piece.fill(n % 255 + 1);
  }
  for (const [n, piece] of pieces.entries()) {
    assert.ok(piece.every((byte) => byte === n % 255 + 1), `piece ${n} keeps what was put there`);
  }
});
