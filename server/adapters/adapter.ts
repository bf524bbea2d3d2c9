/**
 * The pattern that every build tool's adapter follows: look at the parsed path, name a route and
 * its subject; the route's actions do the work and its miss table says how troubles look.
 */
import type { Tool } from "../../core/tools.ts";
import type { Trouble } from "../../core/trouble.ts";
import type { ParsedPath } from "../../protocol/path.ts";
import type { Match, Route } from "../exchange.ts";

/** One build tool. */
export interface Adapter {
  /** Also the first segment below which all paths are its own. */
  readonly tool: Tool;
  /** Further first segments that it answers to, such as `v8`. Default: none. */
  readonly roots?: readonly string[];
  /** All its routes, for the documentation and its test. */
  readonly routes: readonly Route[];
  /** What the path means to this tool; `undefined` if nothing. Looks at no more than it needs. */
  match(path: ParsedPath, headers: Headers): Match | undefined;
}

/** A column of a miss table. */
export type Shown = Partial<Readonly<Record<Trouble, number>>>;

/** The same status for each of these troubles. */
export function shownAs(status: number, troubles: readonly Trouble[]): Shown {
  return Object.fromEntries(troubles.map((trouble) => [trouble, status]));
}

/** Troubles of the cache itself, which no build can do anything about. */
export const ILLNESSES: readonly Trouble[] = [
  "corrupt",
  "unavailable",
  "timeout",
  "rate_limited",
  "quota_exceeded",
  "internal",
];

/** Tokens that were good once: the build that holds one was set up well, and time has passed. */
export const ENDED_TOKENS: readonly Trouble[] = ["token_expired", "token_revoked"];

/** What every tool's reads hide. */
export const HIDDEN_READS: Shown = shownAs(404, ILLNESSES);

/** The segments with the root that the path's parser took off, if it is one of the tool's. */
export function segmentsOf({ tool, segments }: ParsedPath, roots: readonly string[]): string[] {
  return tool !== undefined && roots.includes(tool) ? [tool, ...segments] : [...segments];
}
