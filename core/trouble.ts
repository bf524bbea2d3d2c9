/** What may be hidden from a build: failures of the cache, and tokens that were good once. */
import type { CacheError } from "./errors.ts";

/**
 * Never among them: a token that nobody knows, a right that is missing, a request that is not
 * valid. Hiding those would hide a wrong set-up. Only ever appended to.
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
] as const;
/** One of {@linkcode TROUBLES}. */
export type Trouble = typeof TROUBLES[number];

/** The trouble that an error is; `undefined` for one that must be shown as it is. */
export function troubleOf(error: CacheError): Trouble | undefined {
  const state = error.context.token_state;
  const name = error.kind === "unauthenticated" ? `token_${state}` : error.kind;
  return TROUBLES.find((trouble) => trouble === name);
}
