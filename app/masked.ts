/** What a server hid from builds, in words. */
import type { MaskedCounts } from "../core/counters.ts";
import type { Trouble } from "../core/trouble.ts";
import type { Stats } from "./opened.ts";

/** What to do about it, the more pressing first. */
const HINTS: readonly (readonly [Trouble, string])[] = [
  ["quota_exceeded", "the server has no room: raise --max-size, or make room on its disk"],
  ["corrupt", "records are damaged: verify --repair"],
  ["token_expired", "a build uses a token that has expired: token list, token rotate NAME"],
  ["token_revoked", "a build uses a token that was revoked: give it a new one"],
  ["too_large", "results are larger than --max-blob-size of the server"],
  ["token_read_only", "a build writes with a token that may only read: give it one with write"],
  ["rate_limited", "the server had too much to do: its log says when"],
  ["unavailable", "the server had too much to do, or its disk did not answer: its log says when"],
  ["timeout", "the server's disk was slow: its log says when"],
  ["internal", "the server's log has the errors"],
];

/** A part for each tool, such as `nx: quota_exceeded 3, timeout 1`; none if nothing was hidden. */
export function maskedParts(stats: Stats): string[] {
  return Object.entries(countsOf(stats)).map(([tool, troubles]) =>
    `${tool}: ${Object.entries(troubles).map(([name, times]) => `${name} ${times}`).join(", ")}`
  );
}

/** The hint for the most pressing of them. */
export function maskedHint(stats: Stats): string | undefined {
  const names = new Set(Object.values(countsOf(stats)).flatMap(Object.keys));
  return HINTS.find(([trouble]) => names.has(trouble))?.[1];
}

/** A folder that is opened without a server has hidden nothing. */
function countsOf({ masked }: Stats): MaskedCounts {
  return (masked ?? {}) as MaskedCounts;
}
