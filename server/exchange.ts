/** One request on its way through the server. */
import type { Digest } from "../core/digest.ts";
import type { Principal, Verb } from "../core/policy.ts";
import type { ParsedPath } from "../protocol/path.ts";
import type { Answer } from "./answer.ts";
import type { ServerDeps } from "./deps.ts";
import type { Tool } from "../core/tools.ts";
import type { Trouble } from "../core/trouble.ts";
import type { Problem } from "../protocol/problem.ts";

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

/**
 * How an adapter shows troubles, so that they fail no build: what is not here stays as it is. A
 * miss table can not name anything but a {@linkcode Trouble}, so no refusal is ever hidden.
 */
export interface MissTable {
  /** GET and HEAD: the status to show, which is that of a miss. */
  readonly read: Partial<Readonly<Record<Trouble, number>>>;
  /** PUT, POST and DELETE: the status to show; below 400 the write is taken and dropped. */
  readonly write: Partial<Readonly<Record<Trouble, number>>>;
}

/** A place in the URL space. */
export interface Route {
  readonly name: string;
  readonly tool: Tool | "native";
  /** As OpenAPI writes it: `/v1/blobs/{digest}`. */
  readonly pattern: string;
  readonly methods: Partial<Readonly<Record<Method, Action>>>;
  /** Whether it answers without a token. Default false. */
  readonly open?: boolean;
  /** Whether GET and HEAD are open to everybody in namespaces of `publicRead`. Default false. */
  readonly publicRead?: boolean;
  /** Default: nothing is shown as anything else. */
  readonly misses?: MissTable;
  /** What the body of an error has besides a problem's fields. Default: nothing. */
  errorFields?(problem: Problem): Readonly<Record<string, unknown>>;
}

/** A route, and what it made of a path. */
export interface Match {
  readonly route: Route;
  readonly subject: string;
}
