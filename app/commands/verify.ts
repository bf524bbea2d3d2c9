import type { Command } from "commander";
import { Option } from "commander";
import type { VerifyReport } from "../../core/cache.ts";
import { formatSize } from "../../core/units.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import { countAt, mendFrom } from "../mend_from.ts";
import type { Mended } from "../mend_from.ts";
import type { Opened } from "../opened.ts";
import { shown } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

interface VerifyFlags {
  readonly repair?: boolean;
  readonly from?: string;
  readonly fromTokenFile?: string;
  readonly dryRun?: boolean;
  readonly insecure?: boolean;
}

/** Milliseconds without a byte: a server reads all of its store before it answers. */
const ANSWER_MS = 12 * 3_600_000;

/** Adds `verify [--repair]`. */
export function addVerify(program: Command, context: CommandContext): void {
  const verify = program.command("verify")
    .summary("check every byte of the store")
    .description("Reads and checks everything. Exit 1 while anything is lost or quarantined.")
    .option("--repair", "drop cleanly what is lost, so that it is a miss and nothing else")
    .option("--from <url>", "with --repair: first fetch what is lost from this server")
    .addOption(new Option("--from-token-file <file>", "file that holds the token for --from"))
    .option("--dry-run", "with --repair: only say what it would do")
    .addHelpText("after", VERIFY_EXAMPLES);
  withStoreOptions(verify).action((options: VerifyFlags) => {
    check(options);
    return onStore(context, verify, async (opened, output) => {
      const mended = options.from === undefined
        ? undefined
        : await mend(context, opened, { ...options, from: options.from });
      const report = await opened.maintenance.verify({
        repair: (options.repair ?? false) && !options.dryRun,
        signal: context.environment.interrupted,
      });
      await output.result(
        mended ? { ...report, ...mended } : report,
        [...mended ? [describeMended(mended, options)] : [], describe(report)].join("\n"),
      );
      return isClean(report) ? EXIT.ok : EXIT.failed;
    }, { idleMs: ANSWER_MS });
  });
}

function check({ repair, from, fromTokenFile, dryRun }: VerifyFlags): void {
  if (!repair && (from !== undefined || dryRun)) {
    throw new UsageError("--from and --dry-run are about a repair", "add --repair");
  }
  if (fromTokenFile !== undefined && from === undefined) {
    throw new UsageError("--from-token-file is about --from", "add --from URL");
  }
}

/** Fetches what is lost, as often as a report is too short for all of it. */
async function mend(
  { environment }: CommandContext,
  opened: Opened,
  { from, fromTokenFile, dryRun, insecure }: VerifyFlags & { readonly from: string },
): Promise<Mended> {
  const { openNamedStore } = await import("../open_named_store.ts");
  const { interrupted: signal } = environment;
  await using peer = await openNamedStore(environment, {
    url: from,
    namespace: "default",
    ...(fromTokenFile === undefined ? {} : { tokenFile: fromTokenFile }),
    ...(insecure === undefined ? {} : { insecure }),
  });
  let mended = 0;
  while (true) {
    const { lost_blobs: lost, lost: all } = await opened.maintenance.verify({ signal });
    if (dryRun) return await countAt(peer.cache, { lost, signal });
    const step = await mendFrom(peer.cache, opened.cache, { lost, signal });
    mended += step.mended;
    if (lost.length === all || step.mended === 0) return { mended, absent: all - step.mended };
  }
}

/** Whether nothing is lost or quarantined (any more, if it was repaired). */
export function isClean(report: VerifyReport): boolean {
  const { quarantined, lost, broken_entries, audit_damaged } = report;
  const wrong = quarantined + lost + broken_entries + audit_damaged;
  return wrong === 0 || report.repaired >= wrong;
}

function describeMended({ mended, absent }: Mended, { from, dryRun }: VerifyFlags): string {
  const url = shown(from ?? "");
  return dryRun
    ? `${url} has ${mended} of the lost blobs and lacks ${absent}`
    : `brought ${mended} lost blobs back from ${url}, which lacks ${absent}`;
}

function describe(report: VerifyReport): string {
  const lines = [
    `${report.records} records (${formatSize(report.bytes)}) in ${report.segments} segments, ` +
    `${report.entries} entries`,
    ...report.problems.map((problem) => shown(`${problem.where}: ${problem.what}`)),
  ];
  if (isClean(report) && report.repaired === 0) lines.push("everything is whole");
  else {
    lines.push(
      `quarantined ${report.quarantined}, lost ${report.lost}, ` +
        `entries that fall with them ${report.broken_entries}, ` +
        `damaged in the audit ${report.audit_damaged}, repaired ${report.repaired}`,
    );
  }
  return lines.join("\n");
}

const VERIFY_EXAMPLES = `
Examples:
  vitte-remote-cache verify
  vitte-remote-cache verify --repair --dir /var/cache/vitte
  vitte-remote-cache verify --repair --from https://other.example.com --from-token-file other.token
`;
