/** Interface 4: pure decisions, and the people they are about. */
import type { ErrorKind } from "./errors.ts";

/** What a token may be allowed to do. `admin` is all of them, in every namespace. */
export const VERBS = ["read", "write", "invalidate", "metrics", "replicate", "admin"] as const;
/** One of {@linkcode VERBS}. */
export type Verb = typeof VERBS[number];

/** Who asks, as the server knows it; nothing of it comes from the request's own words. */
export interface Principal {
  /** Id of the token, 16 hex; `public` for the anonymous reader of `--public-read`. */
  readonly id: string;
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** Namespaces; `*` is every one. */
  readonly namespaces: readonly string[];
  /** The one scope that is written. */
  readonly scope: string;
  /** Scopes that are read, first match wins. */
  readonly readScopes: readonly string[];
  /** Milliseconds since 1970; `undefined` never. */
  readonly expires: number | undefined;
}

/** What somebody wants to do. */
export interface PolicyRequest {
  readonly principal: Principal | undefined;
  readonly verb: Verb;
  /** `undefined` for what concerns the whole store. */
  readonly namespace: string | undefined;
}

/** The verdict, with a reason that a person can read. */
export type Decision =
  | { readonly allow: true }
  | { readonly allow: false; readonly kind: ErrorKind; readonly reason: string };

/** Facts of a record, for the choice of what goes first. */
export interface KeepFacts {
  readonly size: number;
  readonly created: number;
  readonly used: number;
}

/** Pure decisions: no clock, no I/O. */
export interface Policy {
  decide(request: PolicyRequest): Decision;
  /** Higher is kept longer. */
  keepScore(facts: KeepFacts, now: number): number;
}
