import assert from "node:assert/strict";
import { isKind } from "../core/errors.ts";
import { resolveRange } from "./object_range.ts";

const GOOD: [string, Parameters<typeof resolveRange>, [number, number]][] = [
  ["no range is all", [undefined, 10], [0, 10]],
  ["no range of an empty object", [undefined, 0], [0, 0]],
  ["inside", [{ start: 2, end: 5 }, 10], [2, 5]],
  ["the last byte", [{ start: 9, end: 10 }, 10], [9, 10]],
  ["an end past the object is cut", [{ start: 9, end: 99 }, 10], [9, 10]],
  ["an empty range inside", [{ start: 4, end: 4 }, 10], [4, 4]],
  ["an empty range at 0 of an empty object", [{ start: 0, end: 0 }, 0], [0, 0]],
  ["the largest end", [{ start: 0, end: Number.MAX_SAFE_INTEGER }, 10], [0, 10]],
];

const BAD: [
  string,
  Parameters<typeof resolveRange>,
  "range_not_satisfiable" | "invalid_argument",
][] = [
  ["a start at the end", [{ start: 10, end: 11 }, 10], "range_not_satisfiable"],
  ["an empty range at the end", [{ start: 10, end: 10 }, 10], "range_not_satisfiable"],
  ["a start past the end", [{ start: 11, end: 12 }, 10], "range_not_satisfiable"],
  ["bytes of an empty object", [{ start: 0, end: 1 }, 0], "range_not_satisfiable"],
  ["an end before the start", [{ start: 3, end: 2 }, 10], "invalid_argument"],
  ["a negative start", [{ start: -1, end: 2 }, 10], "invalid_argument"],
  ["half a byte", [{ start: 0.5, end: 2 }, 10], "invalid_argument"],
  ["not a number", [{ start: NaN, end: 2 }, 10], "invalid_argument"],
  ["no end at all", [{ start: 0, end: Infinity }, 10], "invalid_argument"],
];

for (const [what, args, [start, end]] of GOOD) {
  Deno.test(`resolveRange takes ${what}`, () => {
    assert.deepEqual(resolveRange(...args), { start, end });
  });
}
for (const [what, args, kind] of BAD) {
  Deno.test(`resolveRange refuses ${what}`, () => {
    assert.throws(() => resolveRange(...args), (error) => isKind(error, kind));
  });
}
