/**
 * `deno task test:fuzz`: the long form of the fuzzing: every parser with thousands of inputs, then
 * 100,000 HTTP requests against a running server. Prints counts and seeds.
 */
import { ROOT } from "./run_steps.ts";

const LONG = {
  VITTE_FUZZ_RUNS: "20000",
  VITTE_FUZZ_REQUESTS: "100000",
  VITTE_FUZZ_EXAMPLES: "50",
};
const FILES = [
  "test/fuzz/parsers_test.ts",
  "test/e2e/http_fuzz_test.ts",
  "test/interop/schemathesis_test.ts",
];

const child = new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", "--no-check", "--preload=./tools/leak_watch.ts", ...FILES],
  cwd: ROOT,
  // What is named outside wins: a seed or a count of one's own.
  env: { ...LONG, ...Deno.env.toObject() },
}).spawn();
Deno.exit((await child.status).code);
