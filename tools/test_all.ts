/** `deno task test`: everything. The last line is `N passed, N failed, N skipped`. */
import { installForTests } from "./install.ts";
import { printResult, runSteps } from "./run_steps.ts";
import type { StepResult } from "./run_steps.ts";
import {
  countTests,
  docTestStep,
  quickTestSteps,
  skipLines,
  slowTestSteps,
  staticSteps,
} from "./test_files.ts";

for (const problem of await installForTests()) console.log(problem);

const total = { passed: 0, failed: 0, skipped: 0 };
const add = (result: StepResult) => {
  printResult(result);
  for (const line of skipLines(result.output)) if (result.ok) console.log(line);
  const counts = countTests(result.output, result.ok);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
};
const checks = [...staticSteps(), ...quickTestSteps(4), docTestStep()];
await runSteps(checks, { atOnce: 2, report: add });
// One at a time: they start servers and compilers, and some measure.
await runSteps(slowTestSteps(), { atOnce: 1, report: add });

const forbidden = total.skipped > 0 && Deno.env.get("CI") === "true";
if (forbidden) console.log("nothing may be skipped when CI=true");
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
if (total.failed > 0 || forbidden) Deno.exit(1);
