import type { Command } from "commander";
import type { Entry } from "../../core/entry.ts";
import { EXIT } from "../exit_codes.ts";
import { table } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";
import { filterOf, withFilterOptions } from "./entry_filter.ts";
import type { FilterFlags } from "./entry_filter.ts";

/** Adds `ls` with its filters. */
export function addLs(program: Command, context: CommandContext): void {
  const command = program.command("ls")
    .summary("list entries")
    .description("Lists entries in order of their keys; all filters must hold.");
  withFilterOptions(command);
  withStoreOptions(command).addHelpText("after", EXAMPLES).action(async (options: FilterFlags) => {
    const { scope, ...filter } = filterOf(options, context.environment.clock.now());
    await onStore(context, command, async (opened, output, flags) => {
      const entries: Entry[] = [];
      const scan = opened.cache.scan({
        ...filter,
        namespace: flags.namespace,
        scopes: scope === undefined ? undefined : [scope],
        signal: context.environment.interrupted,
      });
      for await (const item of scan) if (item.type === "entry") entries.push(item.entry);
      await output.result(
        entries.map(asJson),
        table(["KEY", "PROTOCOL", "SIZE", "SCOPE", "WRITER", "CREATED"], entries.map(asRow)),
      );
      return EXIT.ok;
    });
  });
}

function asJson(entry: Entry): Record<string, unknown> {
  const { namespace, scope, protocol, key, tags, writer, created, blobs } = entry;
  const body = blobs[0];
  return {
    key,
    protocol,
    namespace,
    scope,
    tags,
    writer,
    created: new Date(created).toISOString(),
    size: body?.size ?? 0,
    digest: body?.digest,
    blobs: blobs.length,
  };
}

function asRow(entry: Entry): string[] {
  const { key, protocol, scope, writer, created, blobs } = entry;
  const size = String(blobs[0]?.size ?? 0);
  return [key, protocol, size, scope, writer, new Date(created).toISOString().slice(0, 19) + "Z"];
}

const EXAMPLES = `
Examples:
  vitte-remote-cache ls --prefix app/
  vitte-remote-cache ls --writer ci --since 2h --protocol bazel-ac
`;
