/** What two peers tell each other within a session. */
import type { Bytes } from "../../core/digest.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { CacheError } from "../../core/errors.ts";

/** Versions of these messages that this program speaks. */
export const OLDEST_VERSION = 1;
export const NEWEST_VERSION = 1;

/** What bytes are sent for; the number is the transport's lane, a lower one goes first. */
export const LANE = { control: 0, waiting: 1, work: 2, bulk: 3, prefetch: 4 } as const;

/** Classes that need credits: all but control. */
export type CreditClass = Exclude<keyof typeof LANE, "control">;
/** The classes in the order of their lanes, beginning with lane 1. */
export const CREDIT_CLASSES: readonly CreditClass[] = ["waiting", "work", "bulk", "prefetch"];

/** The first message of each side. */
export interface HelloMessage {
  readonly oldest: number;
  readonly newest: number;
  /** 32 bits; those that both know are used, the others mean nothing. */
  readonly capabilities: number;
  /** Milliseconds since 1970 by the sender's clock. */
  readonly clock: number;
}

/** A message of a comparison, see `sync/reconcile/`. */
export interface CompareMessage {
  /** Chosen by the side that opens it: even by the session's opener, odd by the other. */
  readonly comparison: number;
  readonly body: Bytes;
}

/** Records that the other side lacks. Their small blobs follow in PACKs, in the records' order. */
export interface RecordsMessage {
  readonly comparison: number;
  /** Number of the batch and of its offer, above all before it; 0 when it has no records. */
  readonly batch: number;
  /** Nothing follows in this comparison. */
  readonly last: boolean;
  readonly records: readonly Bytes[];
}

/** Which parts of an offer are to be sent; each offer is answered once. */
export interface WantMessage {
  readonly offer: number;
  readonly wanted: readonly boolean[];
}

/** A recipe that was wanted. It offers what it lists. */
export interface RecipeMessage {
  readonly batch: number;
  readonly offer: number;
  readonly id: Bytes;
  readonly body: Bytes;
}

/** Bytes, perhaps compressed. */
export interface Packed {
  readonly zstd: boolean;
  readonly rawLength: number;
  readonly bytes: Bytes;
}

/** A chunk that was wanted. */
export interface ChunkMessage extends Packed {
  readonly batch: number;
  readonly id: Bytes;
}

/** Small blobs of a batch, in the order in which its records name them, each once. */
export interface PackMessage extends Packed {
  readonly batch: number;
  /** Bytes of each; 0 for one that the sender does not have any more. */
  readonly lengths: readonly number[];
}

/** All of a batch was sent. */
export interface CommitMessage {
  readonly batch: number;
}

/** What became of the records of a batch. */
export interface CommitAckMessage {
  readonly batch: number;
  /** Not kept: something that they name is not here. */
  readonly missing: readonly boolean[];
  /** Not kept: the sender may not bring them. */
  readonly refused: readonly boolean[];
  /** Kept with another stamp: which, and the record. */
  readonly stamped: readonly { readonly index: number; readonly record: Bytes }[];
}

/** Bytes that may be sent besides those before. */
export interface CreditMessage {
  readonly class: CreditClass;
  readonly bytes: number;
}

/** A comparison is over for the sender. */
export interface CancelMessage {
  readonly comparison: number;
  readonly kind: ErrorKind;
}

/** Asks for a PONG with the same number. */
export interface PingMessage {
  readonly number: bigint;
}

/** All older records of a namespace are void. */
export interface InvalidateMessage {
  readonly namespace: string;
  readonly epoch: number;
}

/** The sender opens no comparison any more and takes none. */
export interface GoawayMessage {
  readonly kind: ErrorKind;
}

/** What one side may say, and be told. */
export interface SessionMessages {
  hello(message: HelloMessage): void;
  compare(message: CompareMessage): void;
  records(message: RecordsMessage): void;
  want(message: WantMessage): void;
  recipe(message: RecipeMessage): void;
  chunk(message: ChunkMessage): void;
  pack(message: PackMessage): void;
  commit(message: CommitMessage): void;
  commitAck(message: CommitAckMessage): void;
  credit(message: CreditMessage): void;
  cancel(message: CancelMessage): void;
  ping(message: PingMessage): void;
  pong(message: PingMessage): void;
  invalidate(message: InvalidateMessage): void;
  goaway(message: GoawayMessage): void;
}

/** The first byte of each. */
export const SESSION_NUMBER: Readonly<Record<keyof SessionMessages, number>> = {
  hello: 1,
  compare: 2,
  records: 3,
  want: 4,
  recipe: 5,
  chunk: 6,
  pack: 7,
  commit: 8,
  commitAck: 9,
  credit: 10,
  cancel: 11,
  ping: 12,
  pong: 13,
  invalidate: 14,
  goaway: 15,
};

/** Kinds of failure by their number in CANCEL and GOAWAY. */
export const WIRE_KINDS: readonly ErrorKind[] = [
  "cancelled",
  "invalid_argument",
  "unauthenticated",
  "permission_denied",
  "not_found",
  "conflict",
  "precondition_failed",
  "range_not_satisfiable",
  "too_large",
  "quota_exceeded",
  "corrupt",
  "rate_limited",
  "unavailable",
  "timeout",
  "unsupported",
  "internal",
];

/** The error for whatever a peer must not send; it ends the session. */
export function violation(problem: string, cause?: unknown): CacheError {
  return new CacheError("invalid_argument", `Cannot go on with the peer: ${problem}`, {
    operation: "session.receive",
    ...(cause === undefined ? {} : { cause }),
  });
}
