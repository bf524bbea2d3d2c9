/**
 * `deno task test`: everything; with `CI=true` or `VITTE_LONG=1` the long forms of the tests, too.
 * What failed stands at the end. The last line is `N passed, N failed, N skipped`.
 */
import { installForTests, installNpmPackages } from "./install.ts";
import { atOnceQuick, printResult, runSteps } from "./run_steps.ts";
import type { StepResult } from "./run_steps.ts";
import { failureText } from "./test_failures.ts";
import {
  countTests,
  docTestStep,
  quickTestSteps,
  skipLines,
  slowTestSteps,
  staticSteps,
} from "./test_files.ts";

for (const problem of await installForTests()) console.log(problem);
// Only slow tests want them: they come while the quick ones run.
const packages = installNpmPackages();

const ci = Deno.env.get("CI") === "true";
if (ci) Deno.env.set("VITTE_LONG", "1"); // the steps inherit it
const began = performance.now();
const phase = (name: string) => {
  console.log(`       ${((performance.now() - began) / 1000).toFixed(0)} s until ${name}`);
};
const failures: string[] = [];
const total = { passed: 0, failed: 0, skipped: 0 };
const add = (result: StepResult) => {
  printResult(result);
  if (!result.ok) failures.push(failureText(result.step.name, result.output));
  for (const line of skipLines(result.output)) if (result.ok) console.log(line);
  const counts = countTests(result.output, result.ok);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
};
const checks = [...staticSteps(), ...quickTestSteps(6), docTestStep()];
await runSteps(checks, { atOnce: atOnceQuick(), report: add });
for (const problem of await packages) console.log(problem);
phase("the slow tests");
const { shared, alone } = slowTestSteps();
// Not more: they start servers and compilers, which take all cores for a while themselves.
await runSteps(shared, { atOnce: 2, report: add });
phase("the tests that run alone");
await runSteps(alone, { atOnce: 1, report: add });
phase("the end");

for (const failure of failures) console.log(failure);
const forbidden = total.skipped > 0 && ci;
if (forbidden) console.log("nothing may be skipped when CI=true");
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
if (total.failed > 0 || forbidden) Deno.exit(1);
