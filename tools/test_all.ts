/**
 * `deno task test`: everything; with `CI=true` or `VITTE_LONG=1` the long forms of the tests, too.
 * What failed stands at the end. The last line is `N passed, N failed, N skipped`.
 */
import { installForTests } from "./install.ts";
import { printResult, runSteps } from "./run_steps.ts";
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

const ci = Deno.env.get("CI") === "true";
if (ci) Deno.env.set("VITTE_LONG", "1"); // the steps inherit it
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
await runSteps(checks, { atOnce: 2, report: add });
const { shared, alone } = slowTestSteps();
// Not more: they start servers and compilers, which take all cores for a while themselves.
await runSteps(shared, { atOnce: 2, report: add });
await runSteps(alone, { atOnce: 1, report: add });

for (const failure of failures) console.log(failure);
const forbidden = total.skipped > 0 && ci;
if (forbidden) console.log("nothing may be skipped when CI=true");
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
if (total.failed > 0 || forbidden) Deno.exit(1);
