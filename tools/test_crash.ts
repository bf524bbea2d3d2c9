/**
 * `deno task test:crash`: 1,000 kills and twice as many power cuts, shared out to all cores: an engine
 * and whole servers at every call that changes the disk, and the writer at every step that has a
 * name. Prints seed and counts; fails with anything lost or partial, or a point that was not met.
 */
import { FAULT_POINTS } from "../store/pack/faults.ts";
import { readTally, tallyText } from "../test/crash/tally.ts";
import { printResult, runSteps } from "./run_steps.ts";
import type { Step } from "./run_steps.ts";
import { failureText } from "./test_failures.ts";
import { testArgs } from "./test_files.ts";

/** Kills of engines and of servers; the steps with names add a hundred. */
const KILLS = Number(Deno.env.get("VITTE_CRASH_KILLS") ?? 840);
const SERVERS = Number(Deno.env.get("VITTE_CRASH_SERVERS") ?? 80);
/** Processes that share each of the two. */
const PARTS = { engine: 4, serve: 2 };

const seed = Deno.env.get("VITTE_CRASH_SEED") ?? String(Math.floor(Math.random() * 2 ** 31));

function share(kind: keyof typeof PARTS, kills: number): Step[] {
  const parts = kills === 0 ? 0 : PARTS[kind];
  return Array.from({ length: parts }, (_, part): Step => ({
    name: `${kind}, part ${part + 1} of ${parts}`,
    args: testArgs(["test/e2e/kill_points_test.ts"]),
    env: {
      VITTE_CRASH_SEED: seed,
      VITTE_CRASH_PART: `${part}/${parts}`,
      VITTE_CRASH_KILLS: String(kind === "engine" ? Math.ceil(kills / parts) : 0),
      VITTE_CRASH_SERVERS: String(kind === "serve" ? Math.ceil(kills / parts) : 0),
    },
    timeoutMs: 1_200_000,
  }));
}

const named: Step = {
  name: "the writer's named steps",
  args: testArgs(["test/fault/pack_crash_test.ts"]),
  env: { VITTE_LONG: "1" },
  timeoutMs: 1_200_000,
};
const began = performance.now();
const results = await runSteps([...share("serve", SERVERS), ...share("engine", KILLS), named], {
  atOnce: Math.max(1, navigator.hardwareConcurrency),
  report(result) {
    printResult(result);
    if (!result.ok) console.log(failureText(result.step.name, result.output));
  },
});
const failures = results.filter(({ ok }) => !ok).map(({ step }) => `${step.name} failed`);
const outputs = results.map(({ output }) => output);
let all = 0;
for (const kind of ["engine", "serve"] as const) {
  const tally = readTally(kind, outputs);
  all += tally.kills;
  console.log(`${kind}:\n${tallyText(tally)}`);
  const missed = [...tally.planned].filter((point) => !tally.points.has(point)).sort();
  if (kind === "engine" && KILLS >= 800 && missed.length > 0) {
    failures.push(`points that were never met: ${missed.join(", ")}`);
  }
}
const steps = Number(/(\d+) kills at (\d+) named steps/.exec(outputs.join("\n"))?.[1] ?? 0);
if (steps < FAULT_POINTS.length) failures.push(`only ${steps} kills at named steps`);
console.log(`named steps: ${steps} kills at all of ${FAULT_POINTS.length}, lost 0`);
for (const failure of failures) console.log(failure);
const seconds = ((performance.now() - began) / 1000).toFixed(0);
const verdict = failures.length === 0 ? "ok, nothing lost, nothing partial" : "FAILED";
console.log(`crash: ${all + steps} kills, ${verdict}, in ${seconds} s, seed ${seed}`);
if (failures.length > 0) Deno.exit(1);
