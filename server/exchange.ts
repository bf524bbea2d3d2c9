/** One request on its way through the server. */
import type { Digest } from "../core/digest.ts";
import type { Principal, Verb } from "../core/policy.ts";
import type { ParsedPath } from "../protocol/path.ts";
import type { Answer } from "./answer.ts";
import type { ServerDeps } from "./deps.ts";
import type { ErrorKind } from "../core/errors.ts";

/** Methods that some route knows. */
export const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"] as const;
/** One of {@linkcode METHODS}. */
export type Method = typeof METHODS[number];

/** A request whose sender is known and allowed to do this. */
export interface Exchange {
  readonly request: Request;
  readonly deps: ServerDeps;
  readonly path: ParsedPath;
  readonly namespace: string;
  readonly principal: Principal;
  /** What the route made of the path: a digest, a key, a name; empty if it takes none. */
  readonly subject: string;
  readonly tally: Tally;
}

/** What is counted while a request runs, for its line in the log. */
export interface Tally {
  received: number;
  sent: number;
  digest: Digest | undefined;
  /** Whether an entry was looked up. */
  lookup: boolean;
  /** Milliseconds that the entry that was found saves. */
  cost: number;
}

/** What one method of a route does, and what it needs. */
export interface Action {
  /** `undefined`: any token will do. */
  readonly verb: Verb | undefined;
  /** Asked about the whole store instead of the namespace. Default false. */
  readonly storeWide?: boolean;
  run(exchange: Exchange): Answer | Promise<Answer>;
}

/** How an adapter shows an error: kind and method to status; what is not here, as it is. */
export interface MissTable {
  /** Errors of GET and HEAD that become this status. */
  readonly read: Partial<Readonly<Record<ErrorKind, number>>>;
  /** Errors of PUT, POST and DELETE that become this status. */
  readonly write: Partial<Readonly<Record<ErrorKind, number>>>;
}

/** A place in the URL space. */
export interface Route {
  readonly name: string;
  /** `native`, or the tool. */
  readonly tool: string;
  /** As OpenAPI writes it: `/v1/blobs/{digest}`. */
  readonly pattern: string;
  readonly methods: Partial<Readonly<Record<Method, Action>>>;
  /** Whether it answers without a token. Default false. */
  readonly open?: boolean;
  /** Whether GET and HEAD are open to everybody in namespaces of `publicRead`. Default false. */
  readonly publicRead?: boolean;
  /** Default: nothing is shown as anything else. */
  readonly misses?: MissTable;
}

/** A route, and what it made of a path. */
export interface Match {
  readonly route: Route;
  readonly subject: string;
}
