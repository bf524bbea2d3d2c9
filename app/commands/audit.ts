import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { AUDIT_KINDS } from "../../core/audit.ts";
import type { AuditKind, AuditRow } from "../../core/audit.ts";
import type { Digest } from "../../core/digest.ts";
import { digestHex } from "../../core/digest.ts";
import { auditKinds } from "../../protocol/insight_json.ts";
import { EXIT } from "../exit_codes.ts";
import { shown } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";
import { timesOf, withTimeOptions } from "./entry_filter.ts";

/** Lines of one page. */
const PAGE = 5000;

interface AuditFlags {
  readonly since?: string;
  readonly until?: string;
  readonly writer?: string;
  readonly prefix?: string;
  readonly kind?: AuditKind[];
  readonly limit?: number;
}

/** Adds `audit`. */
export function addAudit(program: Command, context: CommandContext): void {
  const command = program.command("audit")
    .summary("show who changed what")
    .description(
      "Shows writes, replacements and deletions of entries and changes of tokens, oldest first, in " +
        "the namespace that --namespace names, or in all. With --json each line is one object.",
    );
  withTimeOptions(command)
    .option("--writer <name>", "only what this token did")
    .option("--prefix <text>", "only keys, or names of tokens, that begin with this")
    .option("--kind <kinds>", `only these, comma-separated: ${AUDIT_KINDS.join(", ")}`, kinds)
    .option("--limit <number>", "at most this many lines", limit);
  withStoreOptions(command).addHelpText("after", EXAMPLES).action(async (options: AuditFlags) => {
    const times = timesOf(options, context.environment.clock.now());
    const named = command.getOptionValueSource("namespace") === "cli";
    await onStore(context, command, async (opened, output, flags) => {
      let left = options.limit ?? Infinity;
      let after: string | undefined;
      do {
        const { rows, next } = await opened.insight.audit({
          ...times,
          writer: options.writer,
          prefix: options.prefix,
          kinds: options.kind,
          namespace: named ? flags.namespace : undefined,
          after,
          limit: Math.min(PAGE, left),
          signal: context.environment.interrupted,
        });
        const lines = rows.map((row) => output.json ? JSON.stringify(asJson(row)) : asLine(row));
        await output.data(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
        left -= rows.length;
        after = next;
      } while (after !== undefined && left > 0);
      return EXIT.ok;
    });
  });
}

function kinds(text: string): AuditKind[] {
  const found = auditKinds(text);
  if (found) return found;
  throw new InvalidArgumentError(`Want some of ${AUDIT_KINDS.join(", ")}.`);
}

function limit(text: string): number {
  const value = /^\d{1,12}$/.test(text) ? Number(text) : 0;
  if (value > 0) return value;
  throw new InvalidArgumentError("Want a whole number, 1 or more.");
}

/** A change as `--json` has it. */
export function asJson(row: AuditRow): Record<string, unknown> {
  const at = new Date(row.at).toISOString();
  if (row.kind === "token") return { ...row, at };
  return { ...row, at, before: row.before ?? null, after: row.after ?? null };
}

/** A change on one line: time, kind, who, what. */
export function asLine(row: AuditRow): string {
  const head = `${new Date(row.at).toISOString()}  ${row.kind.padEnd(7)}  ${shown(row.writer)}`;
  if (row.kind === "token") {
    return `${head}  ${row.action} ${shown(row.token)} (${row.id}, ${row.namespaces.join(",")})`;
  }
  const { namespace, scope, protocol, key, before, after } = row;
  const change = [before, after].filter((one) => one !== undefined).map(short).join(" -> ");
  return `${head}  ${namespace} ${scope} ${protocol} ${shown(key)}  ${change}`.trimEnd();
}

function short(digest: Digest): string {
  return digestHex(digest).slice(0, 12);
}

const EXAMPLES = `
Examples:
  vitte-remote-cache audit --since 1h
  vitte-remote-cache audit --kind replace,delete --prefix app/ --writer ci
  vitte-remote-cache audit --kind token --json
`;
