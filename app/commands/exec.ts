import { resolve } from "node:path";
import type { Command } from "commander";
import { formatDuration } from "../../core/units.ts";
import type { ExecutionReport } from "../exec/execution.ts";
import type { RunRequest } from "../exec/run_request.ts";
import { UsageError } from "../exit_codes.ts";
import { Output } from "../output.ts";
import type { OnError } from "../tolerance.ts";
import { Tolerance } from "../tolerance.ts";
import type { CommandContext, StoreFlags } from "./context.ts";
import { programWords, storeFlags, withStoreOptions } from "./context.ts";
import { withOnError } from "./tolerant_store.ts";

interface ExecFlags {
  readonly input?: string[];
  readonly output?: string[];
  readonly env?: string[];
  readonly secretEnv?: string[];
  readonly salt: string;
  readonly storeOutput: boolean;
  readonly onError: OnError;
}

/** Adds `exec … -- COMMAND…`. */
export function addExec(program: Command, context: CommandContext): void {
  const command = program.command("exec")
    .usage("[options] -- COMMAND...")
    .summary("run a command, or bring back what it made the last time")
    .description(DESCRIPTION)
    .option("--input <glob...>", "files that it reads: patterns, or folders with all below them")
    .option("--output <path...>", "files and folders that it writes")
    .option("--env <name...>", "variables that its result depends on")
    .option("--secret-env <name...>", "variables whose values must not be stored with its output")
    .option("--salt <text>", "another text makes another key", "")
    .option("--no-store-output", "do not store what it prints, and print nothing on a hit")
    .addHelpText("after", EXAMPLES);
  withOnError(withStoreOptions(command)).action(async (flags: ExecFlags) => {
    const request = requestOf(flags, programWords(context), context.environment.cwd);
    const store = storeFlags(context, command);
    const output = new Output(context.environment, { json: store.json, aside: true });
    const report = await execute(context, request, { flags, store, output });
    await tell(context, output, report);
    context.end(report.status);
  });
}

function requestOf(
  flags: ExecFlags,
  words: readonly [string, ...string[]],
  cwd: string,
): Omit<RunRequest, "root"> {
  const outputs = [...new Set((flags.output ?? []).map((path) => resolve(cwd, path)))];
  for (const name of [...(flags.env ?? []), ...(flags.secretEnv ?? [])]) {
    if (name !== "" && !name.includes("=")) continue;
    throw new UsageError(`"${name}" is no name of a variable`, "its value is taken from outside");
  }
  return {
    words,
    cwd,
    inputs: flags.input ?? [],
    outputs,
    variables: [...new Set(flags.env ?? [])],
    salt: flags.salt,
    printed: flags.storeOutput,
  };
}

/** The work itself is loaded only when it is asked for. */
async function execute(
  { environment }: CommandContext,
  request: Omit<RunRequest, "root">,
  { flags, store, output }: { flags: ExecFlags; store: StoreFlags; output: Output },
): Promise<ExecutionReport> {
  const { Execution } = await import("../exec/execution.ts");
  const { prepare } = await import("../exec/prepare.ts");
  const tolerance = new Tolerance({
    output,
    clock: environment.clock,
    interrupted: environment.interrupted,
    onError: flags.onError,
    // Whatever it is: the program can always be run.
    tolerates: () => true,
  });
  const { root, ...prepared } = await prepare(environment, {
    output,
    tolerance,
    request,
    secretNames: flags.secretEnv ?? [],
    store,
  });
  const execution = new Execution({ ...request, root }, {
    environment,
    output,
    tolerance,
    namespace: store.namespace,
    ...prepared,
  });
  return await execution.run();
}

/** Standard output is the program's; what we have to say goes to standard error. */
async function tell(
  { environment }: CommandContext,
  output: Output,
  report: ExecutionReport,
): Promise<void> {
  if (output.json) return await output.result(report, "");
  if (!environment.interactive) return;
  const { result, stored, cost, key } = report;
  const name = key.slice(0, 12);
  if (result === "hit") output.note(`${name} from the cache, ${formatDuration(cost)} saved`);
  else if (stored) output.note(`${name} stored`);
}

const DESCRIPTION = [
  "Runs a command whose result depends on nothing but what is named here, and stores what it " +
  "wrote and printed. The next time, anywhere, that comes back and the command is not run. The " +
  "key is made of the inputs, the command, the program it means, the variables of --env, the " +
  "working folder below the project's root (.vitte/config.toml or .git) and the platform.",
  "Never stored: a command that fails, whose inputs change while it runs, that leaves an output " +
  "as it was, or whose output holds a token or a value of --secret-env. A cache that is down, " +
  "slow or refuses is a warning. Ends with the command's own status.",
].join("\n\n");

const EXAMPLES = `
Examples:
  vitte-remote-cache exec --input 'src/**' --output dist --env NODE_ENV -- npm run build
  vitte-remote-cache exec --input main.c 'include/*.h' --output main.o -- gcc -c main.c
  vitte-remote-cache exec --input src tests -- npm test

Exit codes: the command's own (128 and more: a signal), 125 for a mistake in these options, 126 a
program that may not be run, 127 one that is not there.
`;
