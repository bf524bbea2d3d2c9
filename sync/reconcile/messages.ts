/** What two peers tell each other to find where their sets of items differ. */
import type { Bytes } from "../../core/digest.ts";

/** How exact a comparison is: what failed is done again more exactly. */
export type Exactness = "cursor" | "short" | "full" | "list";

/** The same in a message; the order is that of the attempts. */
export const EXACTNESS: readonly Exactness[] = ["cursor", "short", "full", "list"];

/** A place in a peer's order of changes. */
export interface Cursor {
  /** The peer's index, 16 hex digits. */
  readonly indexId: string;
  /** The epoch of the namespace when it was there; u32. */
  readonly epoch: number;
  /** The last change that was seen. */
  readonly sequence: number;
}

/** What a peer holds of one namespace and scope. */
export interface PeerState extends Cursor {
  /** How many items. */
  readonly count: number;
  /** Tombstones with an older hybrid logical clock are in neither summary; u64. */
  readonly horizon: bigint;
  /** The root of its summary, 32 bytes. */
  readonly root: Bytes;
  /** How far it has seen the other side's changes. */
  readonly seen: Cursor | undefined;
}

/** Asks for a comparison. */
export interface OpenMessage {
  readonly namespace: string;
  readonly scope: string;
  readonly state: PeerState;
}

/** The digests one hex digit below a prefix, `undefined` where there is no item; 16 of them. */
export type ChildDigests = readonly (Bytes | undefined)[];

/** What the other side is to know of one prefix: nothing is missing, tags follow, or digests. */
export type Answer = "same" | "tags" | ChildDigests;

/** Answers to digests that came, in their order: 16 for each prefix, one a child. */
export interface NodesMessage {
  readonly exactness: Exactness;
  readonly groups: readonly (readonly Answer[])[];
}

/** Tags of items as lowercase hex, ascending, each once, for each prefix that was so answered. */
export interface LeafMessage {
  readonly exactness: Exactness;
  readonly leaves: readonly (readonly string[])[];
}

/** Which of the tags of one `leaf` or `list` message name what this side lacks, in their order. */
export interface WantMessage {
  readonly exactness: Exactness;
  readonly wanted: readonly boolean[];
}

/** Tags of all items in order, part by part. */
export interface ListMessage {
  readonly exactness: Exactness;
  /** Nothing follows. */
  readonly last: boolean;
  readonly tags: readonly string[];
}

/** What a side holds once it has stored all that was sent to it. */
export interface CheckMessage {
  readonly exactness: Exactness;
  /** It has changed otherwise meanwhile, so that the roots may well differ. */
  readonly changed: boolean;
  readonly count: number;
  readonly root: Bytes;
}

/** What I may tell the other side, and what it may tell me. */
export interface ReconcileMessages {
  /** The first message, from the side that opens. */
  open(message: OpenMessage): void;
  /** The answer to it. */
  state(message: { readonly state: PeerState }): void;
  nodes(message: NodesMessage): void;
  leaf(message: LeafMessage): void;
  want(message: WantMessage): void;
  list(message: ListMessage): void;
  check(message: CheckMessage): void;
}

/** The first byte of a message. */
export const MESSAGE_NUMBER: Readonly<Record<keyof ReconcileMessages, number>> = {
  open: 1,
  state: 2,
  nodes: 3,
  leaf: 4,
  want: 5,
  list: 6,
  check: 7,
};

/** The version of these messages. */
export const RECONCILE_VERSION = 1;

/** Bytes of a digest and of a tag in a message. */
export function widthsOf(exactness: Exactness): { digest: number; tag: number } {
  return exactness === "short" ? { digest: 8, tag: 6 } : { digest: 32, tag: 16 };
}
