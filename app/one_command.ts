/**
 * Commands by themselves. Those that stand in front of every step of a build, or in a script's
 * loop, would else load all others first, and that takes longer than their work.
 */
import type { Environment } from "./environment.ts";
import type { ExitCode } from "./exit_codes.ts";
import type { AddCommand } from "./run_program.ts";
import { programWith, runProgram } from "./run_program.ts";

/** What is loaded for these words, when they come first. */
export const COMMANDS: ReadonlyMap<string, () => Promise<AddCommand>> = new Map([
  ["exec", async () => (await import("./commands/exec.ts")).addExec],
  ["with", async () => (await import("./commands/with.ts")).addWith],
  ["get", async () => (await import("./commands/get.ts")).addGet],
  ["put", async () => (await import("./commands/put.ts")).addPut],
  ["has", async () => (await import("./commands/has.ts")).addHas],
  ["save", async () => (await import("./commands/save.ts")).addSave],
  ["restore", async () => (await import("./commands/restore.ts")).addRestore],
  ["hash", async () => (await import("./commands/hash.ts")).addHash],
  ["ls", async () => (await import("./commands/ls.ts")).addLs],
  ["rm", async () => (await import("./commands/rm.ts")).addRm],
  ["serve", async () => (await import("./commands/serve.ts")).addServe],
  ["go-cacheprog", async () => (await import("./commands/go_cacheprog.ts")).addGoCacheprog],
]);

/** As `main` of `main.ts`, and with the same words; `undefined` for a command that is not here. */
export async function mainOfOne(environment: Environment): Promise<ExitCode | undefined> {
  const add = await COMMANDS.get(environment.args[0] ?? "")?.();
  if (!add) return undefined;
  return await runProgram(environment, (context, options) => programWith([add], context, options));
}
