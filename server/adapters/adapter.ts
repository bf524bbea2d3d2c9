/**
 * The pattern that every build tool's adapter follows: look at the parsed path, name a route and
 * its subject; the route's actions do the work and its miss table says how errors look.
 */
import type { ErrorKind } from "../../core/errors.ts";
import type { ParsedPath } from "../../protocol/path.ts";
import type { ToolSegment } from "../../protocol/url_space.ts";
import type { Match, MissTable, Route } from "../exchange.ts";

/** One build tool. */
export interface Adapter {
  readonly tool: ToolSegment;
  /** All its routes, for the documentation and its test. */
  readonly routes: readonly Route[];
  /** What the path means to this tool; `undefined` if nothing. Looks at no more than it needs. */
  match(path: ParsedPath, headers: Headers): Match | undefined;
}

/**
 * Failures of the cache that a build must not notice: it goes on without the cache. Refusals
 * (401, 403) stay, since hiding them would hide a wrong set-up.
 */
const HIDDEN: Partial<Readonly<Record<ErrorKind, number>>> = {
  corrupt: 404,
  unavailable: 404,
  timeout: 404,
  rate_limited: 404,
  quota_exceeded: 404,
  internal: 404,
};

/** Bazel: any status but 200 is a miss, 5xx are asked five times with pauses first. */
export const BAZEL_MISSES: MissTable = { read: HIDDEN, write: {} };

/** ccache: any status but 2xx is a miss on reads; a refused write turns it off for one compile. */
export const CCACHE_MISSES: MissTable = { read: HIDDEN, write: {} };

/**
 * Go, through `go-cacher`: any status but 200 is a miss on reads; any status but 204 to a put fails
 * the whole `go build`, so what the cache cannot keep is dropped.
 */
export const GO_MISSES: MissTable = {
  read: HIDDEN,
  write: {
    too_large: 204,
    quota_exceeded: 204,
    unavailable: 204,
    timeout: 204,
    rate_limited: 204,
    internal: 204,
  },
};
