/** All commands of the command line. */
import type { Command } from "commander";
import type { CommandContext } from "./commands/context.ts";
import { addConfig } from "./commands/config.ts";
import { addAudit } from "./commands/audit.ts";
import { addCompletions } from "./commands/completions.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addExec } from "./commands/exec.ts";
import { addGet } from "./commands/get.ts";
import { addGoCacheprog } from "./commands/go_cacheprog.ts";
import { addHas } from "./commands/has.ts";
import { addLogin } from "./commands/login.ts";
import { addHash } from "./commands/hash.ts";
import { addInspect } from "./commands/inspect.ts";
import { addLs } from "./commands/ls.ts";
import { addPin } from "./commands/pin.ts";
import { addPut } from "./commands/put.ts";
import { addRestore } from "./commands/restore.ts";
import { addRm } from "./commands/rm.ts";
import { addSave } from "./commands/save.ts";
import { addServe } from "./commands/serve.ts";
import { addSetup } from "./commands/setup.ts";
import { addStats } from "./commands/stats.ts";
import { addToken } from "./commands/token.ts";
import { addGc } from "./commands/gc.ts";
import { addVerify } from "./commands/verify.ts";
import { addWhoami } from "./commands/whoami.ts";
import { addWith } from "./commands/with.ts";
import type { Environment } from "./environment.ts";
import type { ExitCode } from "./exit_codes.ts";
import { programWith, runProgram } from "./run_program.ts";
import type { ProgramOptions } from "./run_program.ts";

/** Runs one command to its end; never throws, never ends the process. */
export function main(environment: Environment): Promise<ExitCode> {
  return runProgram(environment, buildProgram);
}

/** All commands, for `main` and for completions and help tests. */
export function buildProgram(context: CommandContext, options: ProgramOptions): Command {
  const adders = [
    addServe,
    addSetup,
    addPut,
    addGet,
    addHas,
    addSave,
    addRestore,
    addHash,
    addExec,
    addWith,
    addLs,
    addRm,
    addInspect,
    addAudit,
    addStats,
    addToken,
    addVerify,
    addGc,
    addPin,
    addDoctor,
    addCompletions,
    addLogin,
    addWhoami,
    addConfig,
    addGoCacheprog,
  ];
  return programWith(adders, context, options);
}
