/**
 * `deno task test:fuzz`: the long form of the fuzzing, on all cores: every parser with thousands of
 * inputs, 100,000 HTTP requests against a running server, schemathesis. Prints counts and seeds.
 */
import { printResult, runSteps } from "./run_steps.ts";
import type { Step } from "./run_steps.ts";
import { failureText } from "./test_failures.ts";
import { testArgs } from "./test_files.ts";

const LONG = {
  VITTE_FUZZ_RUNS: "20000",
  VITTE_FUZZ_REQUESTS: "100000",
  VITTE_FUZZ_EXAMPLES: "50",
};
/** The longest first. */
const FILES = [
  "test/e2e/http_fuzz_test.ts",
  "test/fuzz/parsers_test.ts",
  "test/interop/schemathesis_test.ts",
];
/** Lines of a test that stay: what was done, and how to do it again. */
const TOLD =
  /^(seed: |SKIP |\d+ requests, seed |\d+ blobs acknowledged)|\d+ (inputs|texts)|\.\.\. ok/;

const began = performance.now();
const results = await runSteps(
  FILES.map((path): Step => ({
    name: path,
    args: testArgs([path]),
    // What is named outside wins: a seed or a count of one's own.
    env: { ...LONG, ...Deno.env.toObject() },
    timeoutMs: 1_800_000,
  })),
  {
    atOnce: Math.max(1, navigator.hardwareConcurrency),
    report(result) {
      printResult(result);
      if (!result.ok) console.log(failureText(result.step.name, result.output));
      else {
        const lines = result.output.split("\n").filter((line) => TOLD.test(line));
        for (const line of lines) console.log(`  ${line.trim()}`);
      }
    },
  },
);
const seconds = ((performance.now() - began) / 1000).toFixed(0);
const ok = results.every((result) => result.ok);
console.log(`fuzz: ${ok ? "ok" : "FAILED"} in ${seconds} s`);
if (!ok) Deno.exit(1);
