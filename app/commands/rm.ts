import type { Command } from "commander";
import type { EntryKey } from "../../core/entry.ts";
import type { RemoveFilter } from "../../core/insight.ts";
import { KEY_VALUE_PROTOCOL } from "../../protocol/url_space.ts";
import type { ExitCode } from "../exit_codes.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import type { Opened } from "../opened.ts";
import type { Output } from "../output.ts";
import { shown } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";
import { filterOf, withFilterOptions } from "./entry_filter.ts";
import type { FilterFlags } from "./entry_filter.ts";

/** Keys of one request to a server. */
const KEYS_PER_STEP = 1000;

interface RmFlags extends FilterFlags {
  readonly dryRun?: boolean;
}

/** Adds `rm KEY…` and `rm` with filters. */
export function addRm(program: Command, context: CommandContext): void {
  const command = program.command("rm").argument("[keys...]")
    .summary("delete entries")
    .description(
      "Deletes entries: those with these keys, or all that the filters let through. On a server a " +
        "token deletes from the scope that it writes, an administrator's from every scope.\n" +
        "Exit 3: keys were named and none of them was there.",
    );
  withFilterOptions(command).option("--dry-run", "only tell what would go");
  withStoreOptions(command).addHelpText("after", EXAMPLES).action(
    async (keys: string[], options: RmFlags) => {
      const filter = filterOf(options, context.environment.clock.now());
      const { prefix, writer, since, until } = filter;
      if (keys.length === 0 && [prefix, writer, since, until].every((one) => one === undefined)) {
        throw new UsageError(
          "name keys, or --prefix, --writer, --since or --until",
          "rm --prefix '' deletes every entry of the namespace; --dry-run shows what would go",
        );
      }
      await onStore(context, command, async (opened, output, flags) => {
        const removal = {
          namespace: flags.namespace,
          dryRun: options.dryRun ?? false,
          signal: context.environment.interrupted,
        };
        return await remove(opened, output, { ...removal, keys, filter });
      });
    },
  );
}

async function remove(
  opened: Opened,
  output: Output,
  removal: {
    readonly namespace: string;
    readonly dryRun: boolean;
    readonly signal: AbortSignal;
    readonly keys: readonly string[];
    readonly filter: RemoveFilter;
  },
): Promise<ExitCode> {
  const { namespace, dryRun, signal, keys, filter } = removal;
  const found: EntryKey[] = [];
  for (const step of stepsOf(keys, filter)) {
    let after: string | undefined;
    do {
      const { entries, next } = await opened.insight.removeStep({
        ...step,
        namespace,
        scopes: undefined,
        dryRun,
        by: "local",
        after,
        signal,
      });
      found.push(...entries);
      after = next;
    } while (after !== undefined);
  }
  const verb = dryRun ? "would remove" : "removed";
  await output.result(
    {
      removed: dryRun ? 0 : found.length,
      matched: found.length,
      keys: found.map(({ key }) => key),
      dry_run: dryRun,
    },
    found.map(({ key }) => `${verb} ${shown(key)}`).join("\n"),
  );
  if (keys.length === 0) output.note(`${verb} ${found.length} entries`);
  if (found.length > 0 || keys.length === 0) return EXIT.ok;
  output.error(`no such entry in namespace "${namespace}"`);
  return EXIT.notFound;
}

/** Keys alone are those of `put`; filters let every tool's entries through. */
function* stepsOf(keys: readonly string[], filter: RemoveFilter): Generator<RemoveFilter> {
  if (keys.length === 0) return yield filter;
  const protocol = filter.protocol ?? KEY_VALUE_PROTOCOL;
  for (let from = 0; from < keys.length; from += KEYS_PER_STEP) {
    yield { ...filter, protocol, keys: keys.slice(from, from + KEYS_PER_STEP) };
  }
}

const EXAMPLES = `
Examples:
  vitte-remote-cache rm KEY
  vitte-remote-cache rm --writer ci --since 2h --dry-run     what a bad build has written
  vitte-remote-cache rm --writer ci --since 2h
  vitte-remote-cache rm --prefix app/ --until 30d --protocol kv
`;
