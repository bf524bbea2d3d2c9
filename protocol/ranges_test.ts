import assert from "node:assert/strict";
import fc from "fast-check";
import { chooseRange, contentRange, ifRangeHolds, namesTag, unsatisfiedRange } from "./ranges.ts";

Deno.test("chooseRange gives a part inside the size, or the whole, or nothing", () => {
  const bytes = Uint8Array.from({ length: 50 }, (_, i) => i);
  const number = fc.oneof(fc.nat(70), fc.constant(2 ** 53), fc.constant(""));
  fc.assert(fc.property(number, number, fc.nat(50), (a, b, size) => {
    const choice = chooseRange(`bytes=${a}-${b}`, size);
    if (choice.type !== "part") return;
    const { start, end } = choice.range;
    assert.ok(0 <= start && start < end && end <= size);
    const whole = bytes.subarray(0, size);
    const wanted = a === "" ? whole.slice(-Number(b)) : whole.slice(a, b === "" ? size : b + 1);
    assert.deepEqual(whole.slice(start, end), wanted);
    assert.equal(contentRange(choice.range, size), `bytes ${start}-${end - 1}/${size}`);
  }));
});

Deno.test("chooseRange never throws and never leaves the size, whatever the header", () => {
  fc.assert(fc.property(fc.string(), fc.nat(), (text, size) => {
    for (const header of [text, `bytes=${text}`]) {
      const choice = chooseRange(header, size);
      if (choice.type === "part") assert.ok(choice.range.end <= size);
    }
  }));
});

Deno.test("chooseRange on an empty blob: a start is past the end, a suffix is the whole", () => {
  assert.equal(chooseRange("bytes=0-", 0).type, "unsatisfiable");
  assert.equal(chooseRange("bytes=-5", 0).type, "whole");
  assert.equal(chooseRange("bytes=-0", 5).type, "unsatisfiable");
  assert.equal(chooseRange(null, 5).type, "whole");
  assert.equal(unsatisfiedRange(0), "bytes */0");
});

Deno.test("ifRangeHolds for the same strong tag only; namesTag compares weakly", () => {
  assert.ok(ifRangeHolds(null, '"a"'));
  assert.ok(ifRangeHolds(' "a" ', '"a"'));
  for (const other of ['W/"a"', '"b"', "a", "", "*"]) assert.ok(!ifRangeHolds(other, '"a"'), other);
  for (const header of ["*", '"a"', 'W/"a"', '"b", "a"', ' "b",W/"a" ']) {
    assert.ok(namesTag(header, '"a"'), header);
  }
  for (const header of ["", "a", '"aa"', '"b"', '"']) assert.ok(!namesTag(header, '"a"'), header);
});
