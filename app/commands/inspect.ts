import type { Command } from "commander";
import type { InspectedEntry, Inspection } from "../../core/insight.ts";
import { reachOf } from "../../core/insight.ts";
import { formatDuration, formatSize } from "../../core/units.ts";
import { EXIT } from "../exit_codes.ts";
import { shown } from "../output.ts";
import { asJson as changeJson, asLine } from "./audit.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

/** Blobs that a person is shown; `--json` has all. */
const SHOWN_BLOBS = 20;

/** Adds `inspect KEY`. */
export function addInspect(program: Command, context: CommandContext): void {
  const command = program.command("inspect").argument("<key>")
    .summary("show all that is known of a key")
    .description(
      "Shows the entries of a key in every scope that you may read: who wrote them and when, what " +
        "they hold, whether a read gets them and why not, and what happened to them.\n" +
        "Exit 3: nothing is known of the key.",
    )
    .option("--protocol <name>", "only this tool's entries, such as kv, bazel-ac, ccache");
  withStoreOptions(command).addHelpText("after", EXAMPLES).action(
    (key: string, options: { protocol?: string }) =>
      onStore(context, command, async (opened, output, { namespace }) => {
        const inspection = await opened.insight.inspect({
          ...reachOf(await opened.whoami()),
          namespace,
          key,
          protocol: options.protocol,
          signal: context.environment.interrupted,
        });
        if (inspection.entries.length + inspection.history.length === 0) {
          output.error(`nothing is known of "${key}" in namespace "${namespace}"`);
          return EXIT.notFound;
        }
        await output.result(asJson(key, inspection), describe(inspection));
        return EXIT.ok;
      }),
  );
}

function asJson(key: string, { entries, history }: Inspection): Record<string, unknown> {
  return {
    key,
    entries: entries.map(({ entry, served, reason, blobs }) => {
      const { stamp: _stamp, key: _key, created, used, ...facts } = entry;
      return {
        ...facts,
        created: iso(created),
        used: used === 0 ? null : iso(used),
        served,
        reason: reason ?? null,
        size: blobs[0]?.size ?? 0,
        blobs,
      };
    }),
    history: history.map(changeJson),
  };
}

function describe({ entries, history }: Inspection): string {
  const lines = entries.flatMap(describeEntry);
  if (entries.length === 0) lines.push("not there any more", "");
  lines.push(history.length === 0 ? "no changes are in the audit" : "changes:");
  return [...lines, ...history.map((row) => `  ${asLine(row)}`)].join("\n");
}

function describeEntry({ entry, served, reason, blobs }: InspectedEntry): string[] {
  const pairs: [string, string][] = [
    ["writer", entry.writer],
    ["created", iso(entry.created)],
    ["last used", entry.used === 0 ? "never" : iso(entry.used)],
    ["cost", entry.cost === 0 ? "" : formatDuration(entry.cost)],
    ["tags", entry.tags.join(", ")],
    ["inputs", listed(entry.inputs)],
    ["headers", listed(entry.headers)],
  ];
  const shownBlobs = blobs.slice(0, SHOWN_BLOBS).map(({ digest, size, present }): string =>
    `  blob       ${digest}  ${formatSize(size)}${present ? "" : "  NOT HERE"}`
  );
  if (blobs.length > SHOWN_BLOBS) shownBlobs.push(`  and ${blobs.length - SHOWN_BLOBS} more blobs`);
  return [
    `scope ${entry.scope}, ${entry.protocol}: ${served ? "served" : `not served, ${reason}`}`,
    ...pairs.filter(([, value]) => value !== "").map(([name, value]) =>
      `  ${name.padEnd(9)}  ${shown(value)}`
    ),
    ...shownBlobs,
    "",
  ];
}

function listed(record: Readonly<Record<string, string>>): string {
  return Object.entries(record).map(([name, value]) => `${name}=${value}`).join(", ");
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

const EXAMPLES = `
Examples:
  vitte-remote-cache inspect app/main.o
  vitte-remote-cache inspect 5e8f… --protocol bazel-ac --json
`;
