/** What the server is given; it makes none of this itself. */
import type { Authentication } from "../auth/authenticate.ts";
import type { Cache, EntryMemory, Maintenance } from "../core/cache.ts";
import type { Clock } from "../core/clock.ts";
import type { Counters } from "../core/counters.ts";
import type { ErrorKind } from "../core/errors.ts";
import type { IdentityAnswer } from "../core/identity.ts";
import type { Insight } from "../core/insight.ts";
import type { Pinning } from "../core/pins.ts";
import type { Policy } from "../core/policy.ts";
import type { RoomFacts } from "../core/quota.ts";
import type { ScrubStatus } from "../core/scrub.ts";
import type { TokenAdmin } from "../core/token_admin.ts";

/** Everything that the handler of one thread needs. */
export interface ServerDeps {
  readonly cache: Cache;
  /** What this thread has of the cache in memory; without it every question is asked. */
  readonly memory?: EntryMemory | undefined;
  readonly maintenance: Maintenance;
  readonly insight: Insight;
  readonly pinning: Pinning;
  /** How the room is shared out. */
  room(): Promise<RoomFacts>;
  readonly tokens: TokenAdmin;
  readonly policy: Policy;
  readonly clock: Clock;
  readonly counters: Counters;
  /** From the value of the Authorization header; `Authenticator.authenticate` is one. */
  authenticate(authorization: string | null): Authentication;
  /** Proves who this server is. @throws {CacheError} `invalid_argument` for a bad nonce */
  prove(question: { readonly nonce: string; readonly host: string }): IdentityAnswer;
  /** Whether a Host (`name[:port]`) may be meant for this server; see `allowHosts`. */
  allowsHost(authority: string): boolean;
  /** One line of the access log, when the answer is out or given up. Must not throw. */
  log(event: AccessEvent): void;
  /** The page of `/metrics`. */
  metricsText(): Promise<string>;
  /**
   * Whether who sends the answers has taken each part of a body before it asks for the next, as
   * `Deno.serve` has: parts are then only lent to it. The parts of a request's body are then ours,
   * each with its memory. Default false: it may keep them.
   */
  readonly takesParts?: boolean | undefined;
  /** Namespaces whose tool caches anybody may read. */
  readonly publicRead: ReadonlySet<string>;
  readonly limits: ServerLimits;
  readonly version: string;
  /** The kind of medium that the store is kept on, such as `fs`. */
  readonly backend: string;
  /** Bytes of the disk that the store is on, as they are now; `undefined` where it is on none. */
  disk?(): DiskRoom | undefined;
  /** How far the background reading is; `undefined` where there is none. */
  scrub?(): ScrubStatus | undefined;
  /** Seconds since this process began to serve, all threads counted as one. */
  uptimeSeconds(): number;
}

/** Bytes of a file system, and how many of them have to stay free. */
export interface DiskRoom {
  readonly free: number;
  readonly total: number;
  readonly reserve: number;
}

/** Limits that the operator sets. */
export interface ServerLimits {
  /** Bytes of the largest blob. */
  readonly maxBlobSize: number;
  /** Bytes that the store may take; shown in `/status`, 0 for none. */
  readonly maxSize: number;
}

/** How a request ended. */
export type Outcome = "ok" | "hit" | "miss" | "masked" | "denied" | "error" | "cancelled";

/** One request, as the log has it: never a header, a query or a token. */
export interface AccessEvent {
  readonly id: string;
  readonly method: string;
  /** Name of the route, `unknown` for none. */
  readonly route: string;
  /** `native`, or the tool whose adapter answered. */
  readonly tool: string;
  readonly namespace: string;
  /** Name of the token, also of one that has ended; empty if nobody was recognised. */
  readonly principal: string;
  /** The first 12 hex digits of the blob's digest, or empty. */
  readonly digest: string;
  readonly status: number;
  readonly outcome: Outcome;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly milliseconds: number;
  /** Whether the request looked an entry up, whatever came of it. */
  readonly lookup: boolean;
  /** Milliseconds of build time that this answer saved: the cost of the entry that was read. */
  readonly savedMs: number;
  /** Set where something failed. */
  readonly error?: { readonly kind: ErrorKind; readonly message: string };
}

/** Where a request came from, as the listener knows it, and what the handler tells it back. */
export interface RequestOrigin {
  readonly remoteAddr: string;
  /** Set where nobody knows who asked: its connection is worth as little as a silent one. */
  stranger?: boolean;
  /** Bytes of the body where all of it is in memory and small: nothing has to be waited for. */
  whole?: number | undefined;
  /** Ends the connection: nobody reads the answer, and what is broken off can not be followed. */
  abandon?(): void;
}

/** A whole server, as a function. */
export type Handler = (
  request: Request,
  origin: RequestOrigin,
) => Response | Promise<Response>;
