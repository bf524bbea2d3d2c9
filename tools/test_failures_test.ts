import assert from "node:assert/strict";
import { failureText } from "./test_failures.ts";

Deno.test("failureText() keeps what failed with what it said, and leaves out what went well", () => {
  const output = [
    "running 3 tests from ./a_test.ts",
    "good ... ok (1ms)",
    "talks ...",
    "------- output -------",
    "hello",
    "----- output end -----",
    "talks ... ok (7ms)",
    "bad ...",
    "  first ... ok (0ms)",
    "  second ...",
    "------- output -------",
    "ouch",
    "----- output end -----",
    "  second ... FAILED (3ms)",
    "bad ... FAILED (due to 1 failed step) (3ms)",
    "",
    " ERRORS ",
    "",
    "bad => ./a_test.ts:1:6",
  ];
  assert.deepEqual(failureText("a_test.ts", output.join("\n")).trim().split("\n"), [
    "=== a_test.ts failed ===",
    ...output.slice(7, 8),
    ...output.slice(9),
  ]);
});

Deno.test("failureText() keeps the end of a step that died", () => {
  const lines = Array.from({ length: 1000 }, (_, at) => `line ${at}`);
  const text = failureText("check", lines.join("\n"));
  assert.match(text, /line 999/);
  assert.doesNotMatch(text, /line 799\n/);
});
