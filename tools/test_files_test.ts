import assert from "node:assert/strict";
import { ROOT } from "./run_steps.ts";
import { countTests, quickTestSteps, skipLines, slowTestSteps, testFiles } from "./test_files.ts";

Deno.test("countTests() reads the last summary, ignored tests and steps count as skipped", () => {
  const output = "ok | 11 passed | 0 failed (7ms)\n" +
    "FAILED | 1 passed (3 steps) | 2 failed (9 steps) | 1 ignored (1 step) (63ms)\n";
  assert.deepEqual(countTests(output, false), { passed: 1, failed: 2, skipped: 2 });
  const singular = "ok | 1 passed (1 step) | 0 failed (1 step) | 2 ignored (4 steps) (0ms)\n";
  assert.deepEqual(countTests(singular, true), { passed: 1, failed: 0, skipped: 6 });
});

Deno.test("countTests() takes a test that says SKIP out of the passed ones, once", () => {
  const output =
    "SKIP (a try): none\nSKIP bazel: not here\nSKIP bazel: not here\nok | 3 passed | 0 failed (7ms)\n";
  assert.deepEqual(countTests(output, true), { passed: 2, failed: 0, skipped: 1 });
  assert.deepEqual(skipLines(output), ["SKIP bazel: not here"]);
});

Deno.test("countTests() counts a run that died without a summary as one failure", () => {
  assert.deepEqual(countTests("Killed", false), { passed: 0, failed: 1, skipped: 0 });
  assert.deepEqual(countTests("ok | 3 passed | 0 failed (7ms)", false).failed, 1);
});

Deno.test("quickTestSteps() gives every quick test file to one process and no slow one to any", () => {
  const { quick, slow } = testFiles();
  const words = quickTestSteps(2).flatMap((step) => step.args);
  const gathered = words.filter((word) => word.startsWith(".cache/")).flatMap((path) =>
    [...Deno.readTextFileSync(`${ROOT}/${path}`).matchAll(/^import "\.\.\/\.\.\/(.*)";$/gm)]
      .map(([, file]) => file!)
  );
  const given = [...words.filter((word) => word.endsWith("_test.ts")), ...gathered];
  assert.deepEqual(given.sort(), quick);
  assert.ok(quick.includes("tools/test_files_test.ts"));
  for (const path of slow) assert.match(path, /^(test\/interop|test\/e2e|test\/load|bench)\//);
});

Deno.test("slowTestSteps() gives every slow test file once, those first that take longest", () => {
  const { shared, alone } = slowTestSteps();
  const names = [...shared, ...alone].map(({ name }) => name);
  assert.deepEqual(names.toSorted(), testFiles().slow.toSorted());
  const [first, ...others] = shared.map(({ name }) => name);
  assert.equal(first, "test/interop/outage_test.ts");
  // From some place on they stand by name: all before it are the long ones.
  const long = names.indexOf("test/e2e/doctor_test.ts");
  assert.deepEqual(others.slice(long), others.slice(long).toSorted());
});
