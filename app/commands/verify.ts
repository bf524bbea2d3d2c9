import type { Command } from "commander";
import type { VerifyReport } from "../../core/cache.ts";
import { formatSize } from "../../core/units.ts";
import { EXIT } from "../exit_codes.ts";
import { shown } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

/** Adds `verify [--repair]` and `gc`. */
export function addVerify(program: Command, context: CommandContext): void {
  const verify = program.command("verify")
    .summary("check every byte of the store")
    .description("Reads and checks everything. Exit 1 while anything is lost or quarantined.")
    .option("--repair", "drop cleanly what is lost, so that it is a miss and nothing else");
  withStoreOptions(verify).action((options: { repair?: boolean }) =>
    onStore(context, verify, async (opened, output) => {
      const report = await opened.maintenance.verify({
        repair: options.repair ?? false,
        signal: context.environment.interrupted,
      });
      await output.result(report, describe(report));
      return isClean(report) ? EXIT.ok : EXIT.failed;
    })
  );
  const gc = program.command("gc").summary("remove what nothing points to");
  withStoreOptions(gc).action(() =>
    onStore(context, gc, async (opened, output) => {
      const report = await opened.maintenance.gc({ signal: context.environment.interrupted });
      await output.result(
        report,
        `removed ${report.records_removed} records and ${report.segments_removed} segments, ` +
          `freed ${formatSize(report.bytes_freed)}`,
      );
      return EXIT.ok;
    })
  );
}

/** Whether nothing is lost or quarantined (any more, if it was repaired). */
export function isClean(report: VerifyReport): boolean {
  const { quarantined, lost, broken_entries, audit_damaged } = report;
  const wrong = quarantined + lost + broken_entries + audit_damaged;
  return wrong === 0 || report.repaired >= wrong;
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
