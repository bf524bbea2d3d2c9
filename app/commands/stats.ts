import type { Command } from "commander";
import { Option } from "commander";
import { USAGE_GROUPS } from "../../core/insight.ts";
import type { UsageGroup, UsageRow } from "../../core/insight.ts";
import type { ScrubStatus } from "../../core/scrub.ts";
import { formatDuration, formatSize } from "../../core/units.ts";
import type { RoomFacts } from "../../core/quota.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import { isLimited, quotaLine } from "./room_lines.ts";
import { maskedParts } from "../masked.ts";
import type { Stats } from "../opened.ts";
import { table } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";
import { timesOf } from "./entry_filter.ts";

interface StatsFlags {
  readonly by?: UsageGroup;
  readonly since?: string;
}

/** Adds `stats [--by tool|namespace|hour|day] [--since T]`. */
export function addStats(program: Command, context: CommandContext): void {
  const command = program.command("stats")
    .summary("show what the store holds and what it was worth")
    .description(
      "Shows totals over all namespaces; they are current at once. With --by also what was asked " +
        "and saved: 14 days by the hour, 400 by the day.",
    )
    .addOption(new Option("--by <what>", "history, one line for each").choices(USAGE_GROUPS))
    .option("--since <time>", "history from then on: 2h or 3d (ago), or 2026-01-31");
  withStoreOptions(command).addHelpText("after", EXAMPLES).action(async (options: StatsFlags) => {
    const { since } = timesOf(options, context.environment.clock.now());
    if (since !== undefined && options.by === undefined) {
      throw new UsageError("--since is about the history", "add --by tool, namespace, hour or day");
    }
    await onStore(context, command, async (opened, output) => {
      const stats = await opened.stats();
      const { by } = options;
      if (by === undefined) await output.result(stats, describe(stats));
      else {
        const history = await opened.insight.usage({ by, since });
        await output.result(
          { ...stats, history },
          `${describe(stats)}\n\n${historyOf(by, history)}`,
        );
      }
      return EXIT.ok;
    });
  });
}

function describe(stats: Stats): string {
  const asked = stats.hits + stats.misses;
  const part = stats.logical_bytes === 0 ? 0 : 1 - stats.stored_bytes / stats.logical_bytes;
  // Of a few small blobs more is stored than they hold: each record has a header.
  const saved = part <= 0 ? "" : `  (${(100 * part).toFixed(1)} % saved)`;
  return [
    `entries       ${stats.entries}`,
    `blobs         ${stats.blobs}`,
    `chunks        ${stats.chunks}`,
    `logical size  ${formatSize(stats.logical_bytes)}`,
    `stored size   ${formatSize(stats.stored_bytes)}${saved}`,
    `hits          ${stats.hits}${asked === 0 ? "" : `  (${shareOf(stats)} of look-ups)`}`,
    `misses        ${stats.misses}`,
    ...roomLines(stats),
    ...damageLines(stats),
    ...maskedParts(stats).map((part, n) => `${n === 0 ? "hidden" : ""}`.padEnd(14) + part),
  ].join("\n");
}

/** Namespaces where there are several or one has a limit, and pins; older servers do not say. */
function roomLines(stats: Stats): string[] {
  const { namespaces = [], pinned } = stats as Partial<RoomFacts>;
  const told = namespaces.length > 1 || namespaces.some(isLimited) ? namespaces : [];
  return [
    ...told.map((use, n) => (n === 0 ? "room" : "").padEnd(14) + quotaLine(use)),
    ...pinned && pinned.entries > 0
      ? [
        `pinned        ${pinned.entries} entries, ${formatSize(pinned.bytes)}` +
        (pinned.max_bytes === null ? "" : ` of ${formatSize(pinned.max_bytes)}`),
      ]
      : [],
  ];
}

/** What is damaged, and how far the search for more is; nothing where there is neither. */
function damageLines(stats: Stats): string[] {
  const quarantined = Number(stats["quarantined"] ?? 0);
  const scrub = stats["scrub"] as ScrubStatus | undefined;
  return [
    ...quarantined > 0 ? [`damaged       ${quarantined} places: run verify --repair`] : [],
    ...scrub
      ? [
        `scrub         ${scrub.running ? "reading" : "waiting"}, ` +
        `${formatSize(scrub.read)} of ${formatSize(scrub.of)}, ${scrub.damaged} damaged, ` +
        `${scrub.rounds} rounds done`,
      ]
      : [],
  ];
}

function historyOf(by: UsageGroup, rows: readonly UsageRow[]): string {
  if (rows.length === 0) return "nothing was asked in this time";
  return table(
    [by.toUpperCase(), "HITS", "MISSES", "RATE", "WRITES", "IN", "OUT", "MASKED", "SAVED"],
    rows.map((row) => [
      by === "hour"
        ? row.group.slice(0, 16) + "Z"
        : by === "day"
        ? row.group.slice(0, 10)
        : row.group,
      String(row.hits),
      String(row.misses),
      row.hits + row.misses === 0 ? "-" : shareOf(row),
      String(row.writes),
      formatSize(row.bytes_in),
      formatSize(row.bytes_out),
      String(row.masked),
      row.saved_ms === 0 ? "-" : formatDuration(row.saved_ms),
    ]),
  );
}

function shareOf({ hits, misses }: Pick<UsageRow, "hits" | "misses">): string {
  return `${((100 * hits) / (hits + misses)).toFixed(1)} %`;
}

const EXAMPLES = `
Examples:
  vitte-remote-cache stats
  vitte-remote-cache stats --by tool --since 7d
  vitte-remote-cache stats --by hour --since 24h --json
`;
