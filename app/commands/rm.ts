import type { Command } from "commander";
import type { EntryKey } from "../../core/entry.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import { shown } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

const PAGE = 1000;

/** Adds `rm KEY…` and `rm --prefix P`. */
export function addRm(program: Command, context: CommandContext): void {
  const command = program.command("rm").argument("[keys...]")
    .summary("delete entries")
    .description("Deletes entries. Exit 3: none of them was there.")
    .option("--prefix <text>", "every key that begins with this")
    .option("--protocol <name>", "entries of this tool", "kv")
    .option("--dry-run", "only tell what would go");
  withStoreOptions(command).action(
    async (keys: string[], options: { prefix?: string; protocol: string; dryRun?: boolean }) => {
      if ((keys.length === 0) === (options.prefix === undefined)) {
        throw new UsageError("name keys, or --prefix", "rm --prefix '' deletes every kv entry");
      }
      await onStore(context, command, async (opened, output, flags) => {
        const { namespace } = flags;
        const { protocol, prefix } = options;
        const signal = context.environment.interrupted;
        const found: EntryKey[] = [];
        const filters = prefix === undefined ? keys : [prefix];
        for (const filter of filters) {
          const scan = opened.cache.scan({
            namespace,
            protocol,
            prefix: filter,
            incomplete: true,
            signal,
          });
          for await (const item of scan) {
            if (item.type !== "entry") continue;
            // Not the end: the same key may stand in a scope behind this one.
            if (prefix === undefined && item.entry.key !== filter) continue;
            const { scope, key } = item.entry;
            found.push({ namespace, scope, protocol, key });
          }
        }
        let removed = 0;
        for (let from = 0; !options.dryRun && from < found.length; from += PAGE) {
          removed += await opened.cache.remove(found.slice(from, from + PAGE), { signal });
        }
        const names = found.map((key) => key.key);
        const verb = options.dryRun ? "would remove" : "removed";
        await output.result(
          { removed, keys: names, dry_run: options.dryRun ?? false },
          names.map((name) => `${verb} ${shown(name)}`).join("\n"),
        );
        if (found.length > 0 || prefix !== undefined) return EXIT.ok;
        output.error(`no such entry in namespace "${namespace}"`);
        return EXIT.notFound;
      });
    },
  );
}
