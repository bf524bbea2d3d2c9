import type { Command } from "commander";
import { Argument, InvalidArgumentError, Option } from "commander";
import { parseServerUrl } from "../../client/server_url.ts";
import { parseDuration } from "../../core/units.ts";
import { resolveStore } from "../config/resolve_store.ts";
import type { StoreSettings } from "../config/resolve_store.ts";
import { localServer } from "../setup/local_server.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import { noStore } from "../open_named_store.ts";
import { Output } from "../output.ts";
import { CI_SERVICES, ciSnippet } from "../setup/ci.ts";
import type { CiService } from "../setup/ci.ts";
import { findTools } from "../setup/find_tools.ts";
import { setUp } from "../setup/set_up.ts";
import { jsonOf, linesToPrint, reportOf } from "../setup/report.ts";
import type { BuildTool } from "../tools/build_tool.ts";
import { TOOL_NAMES } from "../tools/build_tool.ts";
import { isToolName, TOOLS } from "../tools/tool_table.ts";
import type { CommandContext } from "./context.ts";
import { storeFlags, withStoreOptions } from "./context.ts";

interface SetupFlags {
  readonly write?: boolean;
  readonly dryRun?: boolean;
  readonly readOnly?: boolean;
  /** Milliseconds from now. */
  readonly expires?: number;
  readonly ci?: CiService;
}

/** Adds `setup [TOOL…]`. */
export function addSetup(program: Command, context: CommandContext): void {
  const command = program.command("setup")
    .addArgument(
      new Argument("[tools...]", "build tools").choices(TOOL_NAMES),
    )
    .summary("make build tools use the cache")
    .description(
      "Prints the settings that make build tools use the cache, or writes them. Without a name it\n" +
        "finds the tools of this repository. With an administrator's token it makes a token for\n" +
        "each tool that may do just what the tool needs; another token is used as it is. Where\n" +
        "none is found, it is asked for at a terminal, and not shown.",
    )
    .option("--write", "write them, to files of yours with mode 0600, never to a repository")
    .option("--dry-run", "say what would be done; makes no token and writes nothing")
    .option("--read-only", "take from the cache and add nothing to it")
    .option("--expires <time>", "when made tokens end, such as 90d (default: never)", duration)
    .addOption(new Option("--ci <service>", "print a snippet for CI").choices(CI_SERVICES));
  withStoreOptions(command).addHelpText("after", EXAMPLES)
    .action(async (names: string[], flags: SetupFlags) => {
      const { environment } = context;
      const store = storeFlags(context, command);
      const output = new Output(environment, store);
      const tools = toolsMeant(context, output, names);
      const settings = withLocal(context, await resolveStore(environment, store));
      if (settings.dir) {
        throw new UsageError(
          "build tools need a server, not a folder",
          "give --url instead of --dir",
        );
      }
      if (!settings.url) throw noStore(settings);
      const url = parseServerUrl(settings.url.value).base;
      const { namespace } = store;
      if (flags.ci !== undefined) {
        const snippet = ciSnippet({ service: flags.ci, tools, url, namespace });
        await output.result({ service: flags.ci, snippet }, snippet);
        return context.end(EXIT.ok);
      }
      const done = await setUp(environment, {
        tools,
        url,
        settings,
        namespace,
        write: flags.write ?? false,
        dryRun: flags.dryRun ?? false,
        readOnly: flags.readOnly ?? false,
        expires: flags.expires === undefined ? undefined : environment.clock.now() + flags.expires,
      });
      const report = reportOf(done);
      for (const note of report.notes) output.note(note);
      for (const { text, hint } of report.refusals) output.error(text, hint);
      await output.result(jsonOf(done, url, namespace), linesToPrint(done));
      context.end(report.refusals.length > 0 ? EXIT.failed : EXIT.ok);
    });
}

function toolsMeant(
  { environment }: CommandContext,
  output: Output,
  names: readonly string[],
): BuildTool[] {
  if (names.length > 0) return [...new Set(names)].filter(isToolName).map((name) => TOOLS[name]);
  const found = findTools(environment.cwd, environment.env("PATH") ?? "");
  if (found.length === 0) {
    throw new UsageError(
      "no build tool is found here",
      `go to a repository, or name one: ${TOOL_NAMES.join(", ")}`,
    );
  }
  output.note(`found ${found.map(({ name, by }) => `${name} (${by})`).join(", ")}`);
  return found.map(({ name }) => TOOLS[name]);
}

/** Where nobody names a server, the one that `serve` runs here without being told anything. */
function withLocal({ environment }: CommandContext, settings: StoreSettings): StoreSettings {
  return settings.dir || (settings.url && settings.token)
    ? settings
    : localServer(environment, settings);
}

function duration(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    // The parser's own message repeats the flag's text; commander prints it already.
    throw new InvalidArgumentError("Want a time with a unit, such as 90d or 12h.");
  }
}

const EXAMPLES = `
Examples:
  vitte-remote-cache setup                      what this repository uses, from the local server
  vitte-remote-cache setup ccache --write
  vitte-remote-cache setup gradle --url https://cache.example.com --token-file admin.token
  vitte-remote-cache setup turborepo --ci github --url https://cache.example.com
`;
