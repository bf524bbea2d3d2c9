/** Chunks between the blob store above and the packs below, and the one writer of them all. */
import type { SignalOptions } from "./bytes.ts";
import type { Bytes, Digest } from "./digest.ts";
import type { BlobRef, EntryDraft, RemoveKey } from "./entry.ts";
import type { PutOutcome } from "./metadata_index.ts";
import type { DataKind, DataRecord } from "./record.ts";

/** A record of which the length is known beforehand, as a recipe tells it. */
export interface WantedBody {
  readonly id: Bytes;
  /** Bytes of the plain body. */
  readonly length: number;
}

/** Records that were found; whoever has them disposes them. */
export interface HeldRecords extends Disposable {
  /**
   * The bodies from number `from` up to, but not, number `to`, one behind the other, in memory that
   * is the caller's alone. Answers at once (no promise) where all of them are in local files.
   * @throws {CacheError} `corrupt` at the first that is lost or damaged, at once or by the promise
   */
  join(from: number, to: number, options?: SignalOptions): Bytes | Promise<Bytes>;
}

/**
 * Reads records by id; one instance a thread. Bodies come verified (CRC-32 of the record, SHA-256
 * of a chunk where the medium is far or the last stop was unclean) and plain.
 */
export interface ChunkSource extends AsyncDisposable {
  /** Which of these are here. Synchronous: one look-up in a local table. */
  has(kind: DataKind, ids: readonly Bytes[]): boolean[];
  /**
   * The body of a record, or `undefined`. Answers at once (no promise) where the bytes are in a
   * local file. A record that fails its check is quarantined and `undefined`.
   */
  read(
    kind: DataKind,
    id: Bytes,
    options?: SignalOptions,
  ): Bytes | undefined | Promise<Bytes | undefined>;
  /**
   * Finds many records before the first is read: those in local files stay readable although they
   * are evicted meanwhile.
   * @throws {CacheError} `corrupt` at the first that is not here or has another length
   */
  hold(kind: DataKind, wanted: readonly WantedBody[]): HeldRecords;
  /** Grows whenever a record was lost (evicted, quarantined): what was complete may not be any more. */
  losses(): number;
}

/** One durable step: all of it or nothing. */
export interface CommitBatch {
  /** The upload whose appended records are now kept. */
  readonly upload?: string;
  /** Records to store with this step: all of a small blob. Their memory changes hands. */
  readonly records?: readonly DataRecord[];
  /** Blobs that become visible, by namespace. */
  readonly link?: readonly { readonly namespace: string; readonly blob: BlobRef }[];
  /** Blobs that are no longer visible. */
  readonly unlink?: readonly { readonly namespace: string; readonly digest: Digest }[];
  /** An entry to put. */
  readonly entry?: EntryDraft;
  /** Entries to delete. */
  readonly remove?: readonly RemoveKey[];
  /** Name of the token that removes, for the audit. */
  readonly by?: string | undefined;
}

/** What a {@linkcode WriterPort.commit} did. */
export interface CommitResult {
  readonly put: PutOutcome | undefined;
  readonly removed: number;
}

/**
 * The way to the one writer, from any thread. What `commit` resolved is durable (data, then log,
 * then tables) and seen by every later look-up on every thread.
 */
export interface WriterPort extends AsyncDisposable {
  /**
   * Adds records to an upload that is not committed yet; resolves when the writer has taken them,
   * so that the caller's bytes in flight stay bounded. Records that are here already are pinned
   * until the upload ends, not stored again. Memory of bodies changes hands.
   */
  append(upload: string, records: readonly DataRecord[]): Promise<void>;
  /**
   * @throws {CacheError} `conflict` (immutable entry), `quota_exceeded` (no room), `internal`;
   * nothing of the batch is then kept, and its upload is ended
   */
  commit(batch: CommitBatch): Promise<CommitResult>;
  /** Ends an upload and drops what only it needed. Safe for an unknown one. */
  abort(upload: string): Promise<void>;
  /** Notes uses, for eviction; buffered, never waits. */
  touch(kind: DataKind, ids: readonly Bytes[]): void;
}
