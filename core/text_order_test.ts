import assert from "node:assert/strict";
import fc from "fast-check";
import { anyText } from "../test/helpers/any_text.ts";
import { compareText } from "./text_order.ts";

Deno.test("compareText() is the order of UTF-8 bytes", () => {
  const text = anyText();
  const encoder = new TextEncoder();
  fc.assert(fc.property(text, text, (a, b) => {
    const [x, y] = [encoder.encode(a).toHex(), encoder.encode(b).toHex()];
    assert.equal(Math.sign(compareText(a, b)), x < y ? -1 : x > y ? 1 : 0);
  }));
  assert.equal(compareText("\u{1F600}", "\uff5e") > 0, true);
  assert.equal(compareText("\ue000", "\u{10000}") < 0, true);
});
