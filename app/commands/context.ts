/** What every command is given, and the options that all store commands share. */
import type { Command } from "commander";
import { Option } from "commander";
import { isNamespace } from "../../core/entry.ts";
import type { Environment } from "../environment.ts";
import type { ExitCode } from "../exit_codes.ts";
import { UsageError } from "../exit_codes.ts";
import type { Opened } from "../opened.ts";
import { Output } from "../output.ts";
import type { StoreName } from "../open_named_store.ts";

/** The words that say which store is meant; what files say is added by `resolveStore`. */
export interface StoreFlags extends StoreName {
  readonly json?: boolean;
}

/** How a command ends: with a code, or by throwing. */
export type Action = (...words: never[]) => Promise<ExitCode>;

/** What `main` gives to each command file. */
export interface CommandContext {
  readonly environment: Environment;
  /** What stood behind `--`: the program that `exec` and `with` run. */
  readonly program?: readonly string[];
  /** Keeps the code that the process will end with. */
  end(code: ExitCode): void;
}

/** Adds `--dir`, `--url`, `--namespace`, `--token-file`, `--insecure` and `--json`. */
export function withStoreOptions(command: Command): Command {
  return command
    .addOption(new Option("--dir <folder>", "the store in this folder (takes its lock)"))
    .addOption(new Option("--url <url>", "the server at this address (env: VITTE_CACHE_URL)"))
    .addOption(
      new Option("--namespace <name>", "separate world of entries").default("default"),
    )
    .addOption(
      new Option("--token-file <file>", "file that holds the token (env: VITTE_TOKEN_FILE)"),
    )
    .addOption(new Option("--insecure", "send the token over plain HTTP to another machine"))
    .addOption(new Option("--json", "print one line of JSON"));
}

/** Opens the store that the flags name, does the work, closes it. */
export async function onStore(
  context: CommandContext,
  command: Command,
  work: (opened: Opened, output: Output, flags: StoreFlags) => Promise<ExitCode>,
  more: Pick<StoreName, "idleMs"> = {},
): Promise<void> {
  const flags = { ...storeFlags(context, command), ...more };
  const output = new Output(context.environment, flags);
  // Only now: what opens stores takes longer to load than --help and most mistakes take in all.
  const { openNamedStore } = await import("../open_named_store.ts");
  await using opened = await openNamedStore(context.environment, flags);
  context.end(await work(opened, output, flags));
}

/**
 * The program behind `--` and its arguments.
 * @throws {UsageError} when there is none
 */
export function programWords({ program = [] }: CommandContext): [string, ...string[]] {
  const [first, ...more] = program;
  if (first !== undefined) return [first, ...more];
  throw new UsageError("no command is given", "put it behind --, as in: exec -- make");
}

/** The flags, with the rule that a flag beats the environment and two flags contradict. */
export function storeFlags({ environment }: CommandContext, command: Command): StoreFlags {
  const flags = withEnvironment(command.optsWithGlobals<StoreFlags>(), environment);
  const given = (name: string) => command.getOptionValueSource(name) === "cli";
  if (given("dir") && given("url")) {
    throw new UsageError(
      "--dir and --url name two stores",
      "give one of them: --dir for a folder of this machine, --url for a server",
    );
  }
  if (!isNamespace(flags.namespace)) {
    throw new UsageError(
      `"${flags.namespace}" is no namespace`,
      "a namespace is 1 to 64 of a-z 0-9 . _ - and begins with a letter or digit",
    );
  }
  const { url: _url, ...withoutUrl } = flags;
  return given("dir") ? withoutUrl : flags;
}

/** The parser would read variables from the process itself, whatever environment it is given. */
function withEnvironment(flags: StoreFlags, environment: Environment): StoreFlags {
  const url = flags.url ?? (environment.env("VITTE_CACHE_URL") || undefined);
  const tokenFile = flags.tokenFile ?? (environment.env("VITTE_TOKEN_FILE") || undefined);
  return {
    ...flags,
    ...(url === undefined ? {} : { url }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
  };
}
