/**
 * `deno task test:load`: the long form of the load tests, one file after the other. Prints what each
 * saw: requests, errors by kind, memory, p99 quiet and loaded, descriptors before and after. Files
 * that are named behind it run alone.
 */
import { ROOT } from "./run_steps.ts";
import { testArgs } from "./test_files.ts";

const files = Deno.args.length > 0 ? Deno.args : ["test/load/"];
const child = new Deno.Command(Deno.execPath(), {
  args: testArgs(files),
  cwd: ROOT,
  env: { VITTE_LOAD: "1" },
}).spawn();
Deno.exit((await child.status).code);
