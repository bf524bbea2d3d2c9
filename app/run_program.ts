/** From words to an exit code, whatever commands there are. */
import { Command, CommanderError } from "commander";
import { CacheError, toCacheError } from "../core/errors.ts";
import type { CommandContext } from "./commands/context.ts";
import type { Environment } from "./environment.ts";
import type { ExitCode } from "./exit_codes.ts";
import { EXIT, exitCodeOf, UsageError, wrapperCodeOf } from "./exit_codes.ts";
import { Output, PROGRAM } from "./output.ts";
import { VERSION } from "./version.ts";

/** Where help and version go. */
export interface ProgramOptions {
  readonly print: (text: string) => void;
}

/** Makes a program with its commands. */
export type BuildProgram = (context: CommandContext, options: ProgramOptions) => Command;

/** Adds a command. */
export type AddCommand = (program: Command, context: CommandContext) => void;

/** Commands that run another program: its words are not ours, whatever they look like. */
export const WRAPPERS: ReadonlySet<string> = new Set(["exec", "with"]);

/** Runs one command to its end; never throws, never ends the process. */
export async function runProgram(
  environment: Environment,
  buildProgram: BuildProgram,
): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const printed: string[] = [];
  const { words, behind } = splitWords(environment.args);
  const program = buildProgram(
    { environment, end: (given) => code = given, ...(behind ? { program: behind } : {}) },
    { print: (text) => printed.push(text) },
  );
  const wraps = WRAPPERS.has(words[0] ?? "");
  const output = new Output(environment, { json: words.includes("--json"), aside: wraps });
  try {
    await program.parseAsync([...words], { from: "user" });
    return code;
  } catch (thrown) {
    const found = await report(thrown, { environment, output, wraps });
    return wraps && found === EXIT.usage ? EXIT.wrapper : found;
  } finally {
    // The parser prints help and version without waiting; the process must not end before it did.
    for (const text of printed) await environment.stdout(text);
  }
}

function splitWords(
  args: readonly string[],
): { readonly words: readonly string[]; readonly behind?: readonly string[] } {
  const at = WRAPPERS.has(args[0] ?? "") ? args.indexOf("--") : -1;
  return at < 0 ? { words: args } : { words: args.slice(0, at), behind: args.slice(at + 1) };
}

/** A program with these commands. */
export function programWith(
  adders: readonly AddCommand[],
  context: CommandContext,
  { print }: ProgramOptions,
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
  { environment, output, wraps }: {
    readonly environment: Environment;
    readonly output: Output;
    readonly wraps: boolean;
  },
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
  return wraps ? wrapperCodeOf(error) : exitCodeOf(error);
}

const EXAMPLES = `
Examples:
  vitte-remote-cache serve            the team's cache on 127.0.0.1:8080
  vitte-remote-cache setup --write    the build tools of this repository use it
  vitte-remote-cache doctor           what is wrong, and what to do
  vitte-remote-cache exec --input 'src/**' --output dist -- npm run build
  vitte-remote-cache token create ci --allow read,write --url http://127.0.0.1:8080
  vitte-remote-cache put KEY FILE --url http://127.0.0.1:8080
  vitte-remote-cache get KEY -o FILE
  vitte-remote-cache stats --json

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 130 interrupted; of exec and with those of the
program that they run, and 125, 126 or 127 when it could not be run.
`;
