import type { Command } from "commander";
import type { GcReport, GoingPack } from "../../core/cache.ts";
import { formatSize } from "../../core/units.ts";
import { shown } from "../output.ts";
import { isLimited, quotaLine, spaceName } from "./room_lines.ts";
import { EXIT } from "../exit_codes.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

/** Milliseconds without a byte: a server looks at all of its store before it answers. */
const ANSWER_MS = 12 * 3_600_000;

/** Adds `gc [--dry-run]`. */
export function addGc(program: Command, context: CommandContext): void {
  const gc = program.command("gc")
    .summary("remove what nothing points to")
    .description(
      "Removes records that nothing points to and rewrites packs that are mostly dead. Safe to\n" +
        "break off: the next one does what is left. What was stored or used in the last ten\n" +
        "minutes stays.",
    )
    .option("--dry-run", "only say what would go, and what an eviction would take next")
    .addHelpText("after", EXAMPLES);
  withStoreOptions(gc).action(({ dryRun = false }: { readonly dryRun?: boolean }) =>
    onStore(context, gc, async (opened, output) => {
      const signal = context.environment.interrupted;
      const report = await opened.maintenance.gc({ dryRun, signal });
      await output.result(report, describe(report).join("\n"));
      return EXIT.ok;
    }, { idleMs: ANSWER_MS })
  );
}

function describe(report: GcReport): string[] {
  const { dry_run, records_removed, record_bytes, segments_removed, bytes_freed } = report;
  const would = dry_run ? "would remove" : "removed";
  const lines = [
    `${would} ${records_removed} records that nothing points to ` +
    `(${formatSize(record_bytes)}) and ${segments_removed} packs; ` +
    `${dry_run ? "would free" : "freed"} ${formatSize(Math.max(0, bytes_freed))}`,
  ];
  if (!dry_run) return lines;
  for (const pack of report.packs) lines.push(`goes: ${lineOf(pack)}`);
  for (const pack of report.next) lines.push(`next, if room is needed: ${lineOf(pack)}`);
  for (const use of report.namespaces) if (isLimited(use)) lines.push(quotaLine(use));
  for (const { namespace, scope, what, reason } of report.next_entries) {
    const where = spaceName(namespace, scope);
    lines.push(`next, if ${where} needs room: ${shown(what)}: ${reason}`);
  }
  for (const { namespace, scope, key, by, at, bytes } of report.kept) {
    const since = new Date(at).toISOString().slice(0, 16) + "Z";
    const where = spaceName(namespace, scope);
    lines.push(
      `kept: ${shown(key)} of ${where}, ${formatSize(bytes)}: pinned by ${by} since ${since}`,
    );
  }
  const more = report.pinned.entries - report.kept.length;
  if (more > 0) lines.push(`kept: ${more} more pinned entries`);
  return lines;
}

function lineOf({ pack, bytes, reason }: GoingPack): string {
  return `pack ${pack}, ${formatSize(bytes)}: ${reason}`;
}

const EXAMPLES = `
Examples:
  vitte-remote-cache gc --dry-run
  vitte-remote-cache gc
  vitte-remote-cache gc --json --dir /var/cache/vitte
`;
