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

/** Facts of a pack, for the choice of which goes first. */
export interface PackFacts {
  /** Bytes on the medium. */
  readonly size: number;
  /** Bytes of what is alive in it. */
  readonly alive: number;
  /** When what is alive was used last, on average; milliseconds since 1970. */
  readonly used: number;
}

/** How long something is kept, compared with others. */
export interface KeepScore {
  /** Higher is kept longer. */
  readonly score: number;
  /** What it comes from, for a person: a half sentence. */
  readonly reason: string;
}

/** Pure decisions: no clock, no I/O. */
export interface Policy {
  decide(request: PolicyRequest): Decision;
  /** Higher is kept longer. */
  keepScore(facts: KeepFacts, now: number): number;
  /** Packs in the order in which they make room, the first to go in front. */
  evictionOrder<T extends PackFacts>(packs: readonly T[], now: number): Evictable<T>[];
}

/** A pack that may go, and why it is its turn. */
export interface Evictable<T extends PackFacts = PackFacts> {
  readonly pack: T;
  readonly reason: string;
}
