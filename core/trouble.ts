/** What may be hidden from a build: failures of the cache, and tokens that can not do what they did. */
import type { CacheError } from "./errors.ts";

/**
 * Never among them: a token that nobody knows, one that is for another namespace, a request that is
 * not valid. Hiding those would hide a wrong set-up. A token that may read here but not write is
 * what a pull request is given; only tools that fail over it have it hidden. Only ever appended to.
 */
export const TROUBLES = [
  "corrupt",
  "unavailable",
  "timeout",
  "rate_limited",
  "quota_exceeded",
  "internal",
  "too_large",
  "token_expired",
  "token_revoked",
  "token_read_only",
] as const;
/** One of {@linkcode TROUBLES}. */
export type Trouble = typeof TROUBLES[number];

const NAMES: ReadonlySet<string> = new Set(TROUBLES);

/** The trouble that an error is; `undefined` for one that must be shown as it is. */
export function troubleOf(error: Pick<CacheError, "kind" | "context">): Trouble | undefined {
  const state = error.context.token_state;
  const name = state === undefined ? error.kind : `token_${state}`;
  return NAMES.has(name) ? name as Trouble : undefined;
}
