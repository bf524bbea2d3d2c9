/** `deno task ok`: everything that can be checked without a network or a foreign program. */
import { atOnceQuick, printResult, runSteps } from "./run_steps.ts";
import type { Step } from "./run_steps.ts";
import { failureText } from "./test_failures.ts";
import {
  countTests,
  docTestStep,
  inMemory,
  quickTestSteps,
  skipLines,
  staticSteps,
} from "./test_files.ts";

const began = performance.now();
const env = inMemory();
const tests: Step[] = quickTestSteps(6).map((step) => ({ ...step, env }));
const results = await runSteps([...staticSteps(), ...tests, docTestStep()], {
  atOnce: atOnceQuick(),
  report: printResult,
});
for (const result of results) for (const line of skipLines(result.output)) console.log(line);
const counts = results.filter((result) => tests.includes(result.step))
  .map((result) => countTests(result.output, result.ok));
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = results.filter((result) => !result.ok);
for (const result of failed) console.log(failureText(result.step.name, result.output));
const seconds = ((performance.now() - began) / 1000).toFixed(1);
console.log(
  failed.length === 0
    ? `ok: ${passed} tests in ${seconds} s`
    : `FAILED in ${seconds} s: ${failed.map((result) => result.step.name).join(", ")}`,
);
if (failed.length > 0) Deno.exit(1);
