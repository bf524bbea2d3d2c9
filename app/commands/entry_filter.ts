/** The filters that `ls`, `rm` and `audit` share, and times as people write them. */
import type { Command } from "commander";
import { isScope } from "../../core/entry.ts";
import { isKind } from "../../core/errors.ts";
import type { RemoveFilter } from "../../core/insight.ts";
import { parseDuration } from "../../core/units.ts";
import { UsageError } from "../exit_codes.ts";

/** The words of the filters. */
export interface FilterFlags {
  readonly prefix?: string;
  readonly writer?: string;
  readonly since?: string;
  readonly until?: string;
  readonly protocol?: string;
  readonly scope?: string;
}

/** Adds `--prefix`, `--writer`, `--since`, `--until`, `--protocol` and `--scope`. */
export function withFilterOptions(command: Command): Command {
  return withTimeOptions(
    command
      .option("--prefix <text>", "only keys that begin with this")
      .option("--writer <name>", "only what this token wrote"),
  )
    .option("--protocol <name>", "only this tool's entries, such as kv, bazel-ac, ccache")
    .option("--scope <name>", "only this scope");
}

/** Adds `--since` and `--until`. */
export function withTimeOptions(command: Command): Command {
  return command
    .option("--since <time>", "only then or later: 2h or 3d (ago), 2026-01-31, 2026-01-31T12:00Z")
    .option("--until <time>", "only before then, written in the same way");
}

/** The filters, checked. @throws {UsageError} for a time or scope that is none */
export function filterOf(flags: FilterFlags, now: number): RemoveFilter {
  const { prefix, writer, protocol, scope } = flags;
  if (scope !== undefined && !isScope(scope)) {
    throw new UsageError(`"${scope}" is no scope`, "such as main or pr/123");
  }
  return { prefix, writer, protocol, scope, ...timesOf(flags, now) };
}

/** `--since` and `--until` as milliseconds since 1970. @throws {UsageError} */
export function timesOf(
  { since, until }: Pick<FilterFlags, "since" | "until">,
  now: number,
): { since: number | undefined; until: number | undefined } {
  const times = {
    since: parseWhen("--since", since, now),
    until: parseWhen("--until", until, now),
  };
  if (times.since !== undefined && times.until !== undefined && times.since >= times.until) {
    throw new UsageError("--since is not before --until");
  }
  return times;
}

const DATE = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/;

function parseWhen(flag: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const match = DATE.exec(text);
  // Without a zone it is UTC: the same words mean the same everywhere.
  const zoned = text.includes("T") && match?.[1] === undefined ? `${text}Z` : text;
  const time = match ? Date.parse(zoned) : now - ago(text);
  if (Number.isSafeInteger(time) && time >= 0) return time;
  throw new UsageError(
    `${flag} "${text}" is no time`,
    "write 2h, 3d ago, 2026-01-31 or 2026-01-31T12:00:00Z; without a zone it is UTC",
  );
}

function ago(text: string): number {
  try {
    return parseDuration(text.replace(/\s*ago$/, ""));
  } catch (thrown) {
    if (!isKind(thrown, "invalid_argument")) throw thrown;
    return NaN;
  }
}
