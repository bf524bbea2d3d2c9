/**
 * `deno task test:damage`: the long form of the table of damages, on stopped, open and served stores,
 * shared out to all cores. Prints counts and seeds; fails with any wrong byte, or loss without a word.
 */
import { printResult, runSteps } from "./run_steps.ts";
import type { Step } from "./run_steps.ts";
import { failureText } from "./test_failures.ts";
import { testArgs } from "./test_files.ts";

/** Memory that looks like a disk: thousands of stores are copied, and none has to last. */
const SHARED_MEMORY = "/dev/shm";
/** Processes that share the table of stopped stores. */
const PARTS = 4;
/** Lines of a test that stay: what was done, and how to do it again. */
const TOLD = /^(seed: |damage, )/;

const seed = Deno.env.get("VITTE_DAMAGE_SEED") ?? String(Math.floor(Math.random() * 2 ** 31));
const memory = await Deno.stat(SHARED_MEMORY).then(({ isDirectory }) => isDirectory, () => false);
const env = {
  ...(memory && !Deno.env.has("TMPDIR") ? { TMPDIR: SHARED_MEMORY } : {}),
  VITTE_LONG: "1",
  VITTE_HARNESS: "1",
  VITTE_DAMAGE_SEED: seed,
};
const step = (path: string, more: Readonly<Record<string, string>> = {}): Step => ({
  name: [path, ...Object.values(more)].join(" "),
  args: testArgs([path]),
  env: { ...env, ...more },
  timeoutMs: 1_800_000,
});
const steps = [
  ...Array.from(
    { length: PARTS },
    (_, part) => step("test/damage/stopped_test.ts", { VITTE_DAMAGE_PART: `${part}/${PARTS}` }),
  ),
  step("test/e2e/damage_server_test.ts"),
  step("test/damage/running_test.ts"),
  step("test/damage/tables_test.ts"),
  step("test/damage/scrub_test.ts"),
  step("test/fault/pack_damage_test.ts"),
  step("test/fault/log_damage_test.ts"),
];
const began = performance.now();
const results = await runSteps(steps, {
  atOnce: Math.max(1, navigator.hardwareConcurrency),
  report(result) {
    printResult(result);
    const lines = result.output.split("\n").filter((line) => TOLD.test(line));
    for (const line of new Set(lines)) console.log(`  ${line}`);
  },
});
const failed = results.filter((result) => !result.ok);
for (const { step: { name }, output } of failed) console.log(failureText(name, output));
const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(`damage: ${failed.length === 0 ? "ok" : "FAILED"} in ${seconds} s, seed ${seed}`);
if (failed.length > 0) Deno.exit(1);
