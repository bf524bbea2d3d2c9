import assert from "node:assert/strict";
import { lineCount, sizeProblem } from "./check_sizes.ts";

const lines = (count: number, head = "") => head + "x\n".repeat(count);

Deno.test("sizeProblem() wants a reason above 300 lines and refuses more than 400", () => {
  assert.equal(sizeProblem("a.ts", lines(300)), undefined);
  assert.match(sizeProblem("a.ts", lines(301))!, /^a\.ts: 301 lines/);
  assert.equal(sizeProblem("a.ts", lines(350, "// size: one table\n")), undefined);
  assert.ok(sizeProblem("a.ts", lines(350, "// size:\n")));
  assert.ok(sizeProblem("a.ts", lines(400, "// size: one table\n")));
});

Deno.test("lineCount() counts a last line without a newline", () => {
  assert.equal(lineCount("a\nb\n"), 2);
  assert.equal(lineCount("a\nb"), 2);
});
