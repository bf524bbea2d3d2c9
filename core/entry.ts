/** Entries: what a key maps to. */
import type { Bytes, Digest } from "./digest.ts";

/**
 * Whose key it is: each tool's keys are a world of their own inside a namespace. The adapter that
 * owns a protocol names it; letters, digits and dashes.
 */
export type Protocol = string;

/** The identity of an entry: a tuple, never a joined string. */
export interface EntryKey {
  readonly namespace: string;
  /** Trust level and origin of the writer: `main`, `pr/123`, `local/anne`. */
  readonly scope: string;
  readonly protocol: Protocol;
  readonly key: string;
}

/** An entry to delete. */
export interface RemoveKey extends EntryKey {
  /**
   * Only this version: an entry that was written anew since it was looked at stays. Default: any.
   */
  readonly sequence?: number | undefined;
}

/** A blob that an entry names. Up to `MAX_CHUNK_BYTES` it is one chunk, above it has a recipe. */
export interface BlobRef {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** How a value is to be read; an entry is only ever served to a reader of its own kind. */
export type ContentKind = "opaque" | "action-result" | "action-result-json" | "tree";

/** The facts of an entry that are sealed once encryption is on. */
export interface EntryFacts extends EntryKey {
  /** How the body is to be read. */
  readonly content: ContentKind;
  /** The body first, then every blob it refers to. Without all of them the entry is a miss. */
  readonly blobs: readonly BlobRef[];
  /** For invalidation, at most 64. */
  readonly tags: readonly string[];
  /** Name of the token that wrote it, as the server knows it. */
  readonly writer: string;
  /** Milliseconds since 1970 by the first server's clock. */
  readonly created: number;
  /** Milliseconds of build time that a hit saves; 0 if unknown. */
  readonly cost: number;
  /** What the result depends on, by name, for explanations of misses; values are digests. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Headers that the tool wants back word for word, such as `x-artifact-tag`. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The version of an entry. Compared as a whole, it is a total order, the same on every peer. */
export interface Stamp {
  /** u32; a bump voids everything older in the namespace. */
  readonly epoch: number;
  /** Hybrid logical clock: 48 bits of milliseconds, 16 bits of counter. */
  readonly hlc: bigint;
  /** 8 random bytes of the writing store, as 16 hex digits. */
  readonly device: string;
  /** HMAC(K_idx, canonical plain bytes of the sealed part), hex. */
  readonly valueHash: string;
}

/** An entry as a caller sees it. */
export interface Entry extends EntryFacts {
  readonly stamp: Stamp;
  /** Grows by one with each change of this store; unlike the stamp it is local. */
  readonly sequence: number;
  /** Milliseconds since 1970 of the last known use, 0 if never. */
  readonly used: number;
}

/** Mark of a deleted entry, kept for sync. */
export interface Tombstone extends EntryKey {
  readonly stamp: Stamp;
  readonly sequence: number;
}

/** What a writer hands in; the index adds stamp and sequence. */
export interface EntryDraft extends EntryFacts {
  /** `immutable`: a complete entry that is there stays, and the put is a `conflict`. */
  readonly mutability: "immutable" | "replaceable";
}

/** 32 bytes of HMAC-SHA-256(K_idx, namespace ‖ scope ‖ protocol ‖ key), length-prefixed. */
export type EntryId = Bytes;

const NAMESPACE = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const SCOPE = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*){0,7}$/;

/** Whether this is a namespace's name: `[a-z0-9][a-z0-9._-]{0,63}`. */
export function isNamespace(text: string): boolean {
  return NAMESPACE.test(text);
}

/** Whether this is a scope's name: 1 to 8 parts of letters, digits, `._-`, at most 128 characters. */
export function isScope(text: string): boolean {
  return text.length <= 128 && SCOPE.test(text);
}

/** Negative, zero or positive as `a` is older than, the same as, or newer than `b`. */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  if (a.hlc !== b.hlc) return a.hlc < b.hlc ? -1 : 1;
  if (a.device !== b.device) return a.device < b.device ? -1 : 1;
  if (a.valueHash !== b.valueHash) return a.valueHash < b.valueHash ? -1 : 1;
  return 0;
}
