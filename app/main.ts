/** The command line: words in, exit code out. */
import { Command, CommanderError } from "commander";
import { CacheError, toCacheError } from "../core/errors.ts";
import type { CommandContext } from "./commands/context.ts";
import { addConfig } from "./commands/config.ts";
import { addAudit } from "./commands/audit.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addGet } from "./commands/get.ts";
import { addGoCacheprog } from "./commands/go_cacheprog.ts";
import { addHas } from "./commands/has.ts";
import { addLogin } from "./commands/login.ts";
import { addHash } from "./commands/hash.ts";
import { addInspect } from "./commands/inspect.ts";
import { addLs } from "./commands/ls.ts";
import { addPut } from "./commands/put.ts";
import { addRestore } from "./commands/restore.ts";
import { addRm } from "./commands/rm.ts";
import { addSave } from "./commands/save.ts";
import { addServe } from "./commands/serve.ts";
import { addStats } from "./commands/stats.ts";
import { addToken } from "./commands/token.ts";
import { addVerify } from "./commands/verify.ts";
import { addWhoami } from "./commands/whoami.ts";
import type { Environment } from "./environment.ts";
import type { ExitCode } from "./exit_codes.ts";
import { EXIT, exitCodeOf, UsageError } from "./exit_codes.ts";
import { Output, PROGRAM } from "./output.ts";
import { VERSION } from "./version.ts";

/** Runs one command to its end; never throws, never ends the process. */
export async function main(environment: Environment): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const printed: string[] = [];
  const program = buildProgram(
    { environment, end: (given) => code = given },
    { print: (text) => printed.push(text) },
  );
  const output = new Output(environment, { json: environment.args.includes("--json") });
  try {
    await program.parseAsync([...environment.args], { from: "user" });
    return code;
  } catch (thrown) {
    return await report(thrown, environment, output);
  } finally {
    // The parser prints help and version without waiting; the process must not end before it did.
    for (const text of printed) await environment.stdout(text);
  }
}

/** All commands, for `main` and for completions and help tests. */
export function buildProgram(
  context: CommandContext,
  { print }: { print: (text: string) => void },
): Command {
  const program = new Command(PROGRAM)
    .description("Makes builds share their work: cache server, local cache, client.")
    .version(VERSION, "-V, --version")
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText("after", EXAMPLES)
    .configureOutput({
      writeOut: print,
      writeErr: (text) => context.environment.stderr(prefixed(text)),
      getOutHelpWidth: () => 96,
      getErrHelpWidth: () => 96,
    });
  const adders = [
    addServe,
    addPut,
    addGet,
    addHas,
    addSave,
    addRestore,
    addHash,
    addLs,
    addRm,
    addInspect,
    addAudit,
    addStats,
    addToken,
    addVerify,
    addDoctor,
    addLogin,
    addWhoami,
    addConfig,
    addGoCacheprog,
  ];
  for (const add of adders) add(program, context);
  settle(program, program);
  return program;
}

/** Sub-commands inherit only what is copied. */
function settle(command: Command, from: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(from);
    settle(child, from);
  }
}

function prefixed(text: string): string {
  if (!text.startsWith("error: ")) return text;
  const [error, ...more] = text.trimEnd().split("\n");
  const hints = more.map((line) => `hint: ${line.replace(/^\((.*)\)$/, "$1")}`);
  return [error, ...hints].map((line) => `${PROGRAM}: ${line}\n`).join("");
}

async function report(
  thrown: unknown,
  environment: Environment,
  output: Output,
): Promise<ExitCode> {
  if (thrown instanceof CommanderError) {
    const fine = thrown.exitCode === 0;
    if (!fine && thrown.code !== "commander.help") {
      environment.stderr(`${PROGRAM}: hint: ${PROGRAM} --help shows commands and examples\n`);
    }
    return fine ? EXIT.ok : EXIT.usage;
  }
  if (thrown instanceof UsageError) {
    output.error(thrown.message, thrown.hint);
    return EXIT.usage;
  }
  if (environment.interrupted.aborted) {
    output.error("interrupted");
    return EXIT.interrupted;
  }
  const error = thrown instanceof CacheError ? thrown : toCacheError(thrown, "command");
  await output.failure(error);
  return exitCodeOf(error);
}

const EXAMPLES = `
Examples:
  vitte-remote-cache serve --dir /var/cache/vitte        the team's cache on 127.0.0.1:8080
  vitte-remote-cache token create ci --allow read,write --dir /var/cache/vitte
  vitte-remote-cache put KEY FILE --url http://127.0.0.1:8080
  vitte-remote-cache get KEY -o FILE
  vitte-remote-cache stats --json

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 130 interrupted.
`;
