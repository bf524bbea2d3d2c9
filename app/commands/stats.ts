import type { Command } from "commander";
import { formatSize } from "../../core/units.ts";
import { EXIT } from "../exit_codes.ts";
import { maskedParts } from "../masked.ts";
import type { Stats } from "../opened.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

/** Adds `stats`. */
export function addStats(program: Command, context: CommandContext): void {
  const command = program.command("stats")
    .summary("show what the store holds")
    .description("Shows totals over all namespaces; they are current at once.");
  withStoreOptions(command).action(() =>
    onStore(context, command, async (opened, output) => {
      const stats = await opened.stats();
      await output.result(stats, describe(stats));
      return EXIT.ok;
    })
  );
}

function describe(stats: Stats): string {
  const asked = stats.hits + stats.misses;
  const share = asked === 0 ? "" : `  (${((100 * stats.hits) / asked).toFixed(1)} % of look-ups)`;
  const part = stats.logical_bytes === 0 ? 0 : 1 - stats.stored_bytes / stats.logical_bytes;
  // Of a few small blobs more is stored than they hold: each record has a header.
  const saved = part <= 0 ? "" : `  (${(100 * part).toFixed(1)} % saved)`;
  return [
    `entries       ${stats.entries}`,
    `blobs         ${stats.blobs}`,
    `chunks        ${stats.chunks}`,
    `logical size  ${formatSize(stats.logical_bytes)}`,
    `stored size   ${formatSize(stats.stored_bytes)}${saved}`,
    `hits          ${stats.hits}${share}`,
    `misses        ${stats.misses}`,
    ...maskedParts(stats).map((part, n) => `${n === 0 ? "hidden" : ""}`.padEnd(14) + part),
  ].join("\n");
}
