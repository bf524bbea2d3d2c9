import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { CacheError } from "../../core/errors.ts";
import { GO_WAIT_MS } from "../../core/build_limits.ts";
import { parseDuration, parseSize } from "../../core/units.ts";
import { defaultFolder } from "../default_folder.ts";
import type { Environment } from "../environment.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import { GO_COMMAND } from "../gocache/greeting.ts";
import { Output } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { storeFlags } from "./context.ts";

interface GoFlags {
  readonly cacheDir?: string;
  readonly maxSize?: number;
  readonly wait: number;
  readonly readOnly?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** Adds `go-cacheprog`. */
export function addGoCacheprog(program: Command, context: CommandContext): void {
  const command = program.command(GO_COMMAND)
    .summary("be the build cache of the go command")
    .description(
      "Speaks with the go command over standard input and output; GOCACHEPROG names it. Local\n" +
        "files first, then the server, if one is named. A server that is ill is done without.",
    )
    .addOption(new Option("--url <url>", "the server at this address (env: VITTE_CACHE_URL)"))
    .addOption(new Option("--namespace <name>", "separate world of entries").default("default"))
    .addOption(
      new Option("--token-file <file>", "file that holds the token (env: VITTE_TOKEN_FILE)"),
    )
    .addOption(new Option("--insecure", "send the token over plain HTTP to another machine"))
    .option("--cache-dir <folder>", "local files (default: go below the user's cache folder)")
    .option("--max-size <size>", "of the local files (default: 10GiB, a tenth of the disk)", size)
    .addOption(
      new Option("--wait <time>", "for a server that does not answer, twice")
        .argParser(duration).default(GO_WAIT_MS, `${GO_WAIT_MS}ms`),
    )
    .option("--read-only", "send nothing to the server")
    .option("-v, --verbose", "tell at the end what was done (env: VITTE_GO_VERBOSE)")
    .option("--json", "tell it as one line of JSON, on standard error")
    .addHelpText("after", EXAMPLES);
  command.action(async (flags: GoFlags) => {
    const { environment } = context;
    const { runGoCache } = await import("../gocache/run.ts");
    await runGoCache(environment, new Output(environment, flags), {
      dir: folderOf(environment, flags),
      maxBytes: flags.maxSize,
      store: storeFlags(context, command),
      readOnly: flags.readOnly ?? false,
      waitMs: flags.wait,
      verbose: flags.verbose || flags.json || !!environment.env("VITTE_GO_VERBOSE"),
    });
    context.end(EXIT.ok);
  });
}

function folderOf(environment: Environment, { cacheDir }: GoFlags): string | undefined {
  if (cacheDir !== undefined) {
    return cacheDir.startsWith("/") ? cacheDir : `${Deno.cwd()}/${cacheDir}`;
  }
  try {
    return `${defaultFolder(environment)}/go`;
  } catch (thrown) {
    // A build without a home still is a build.
    if (thrown instanceof UsageError) return undefined;
    throw thrown;
  }
}

function size(text: string): number {
  return read(() => parseSize(text), "Want a number with a unit, such as 10GiB.");
}

function duration(text: string): number {
  return read(() => parseDuration(text), "Want a number with a unit, such as 900ms or 5s.");
}

function read(parse: () => number, want: string): number {
  try {
    return parse();
  } catch (thrown) {
    if (thrown instanceof CacheError) throw new InvalidArgumentError(want);
    throw thrown;
  }
}

const EXAMPLES = `
Examples:
  export GOCACHEPROG='vitte-remote-cache go-cacheprog'
  export VITTE_CACHE_URL=http://127.0.0.1:8080 VITTE_TOKEN_FILE=ci.token
  go build ./...
  GOCACHEPROG='vitte-remote-cache go-cacheprog -v --read-only' go test ./...
`;
