/**
 * The commands that run another program, by themselves: they stand in front of every step of a
 * build, and loading all other commands would take longer than their work.
 */
import { addExec } from "./commands/exec.ts";
import { addWith } from "./commands/with.ts";
import type { Environment } from "./environment.ts";
import type { ExitCode } from "./exit_codes.ts";
import { programWith, runProgram } from "./run_program.ts";

/** As `main`, for words that begin with one of `WRAPPERS`. */
export function mainOfWrappers(environment: Environment): Promise<ExitCode> {
  return runProgram(
    environment,
    (context, options) => programWith([addExec, addWith], context, options),
  );
}
