/** What the indexes of this folder do beyond `MetadataIndex`, and what they are given. */
import type { BlobRow } from "../codec/clear_part.ts";
import type { DomainKeys } from "../codec/entry_id.ts";
import type { Seal } from "../codec/seal.ts";
import type { SummaryView } from "../core/summary/trie.ts";
import type { SignalOptions } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { Digest } from "../core/digest.ts";
import type { BlobRef, Entry, EntryDraft, EntryId, EntryKey, RemoveKey } from "../core/entry.ts";
import type { CacheError } from "../core/errors.ts";
import type { KeyFilter } from "../core/key_filter.ts";
import type { KnownBlobsWriter } from "../core/known_blobs.ts";
import type { LateCheck } from "../core/late_check.ts";
import type { MetadataIndex, PutOutcome, Visibility } from "../core/metadata_index.ts";
import type { LogPort } from "../core/record.ts";
import type { OpenRows, RowsBehind } from "../core/rows_behind.ts";
import type { AuditLimits } from "./audit/trail.ts";

/**
 * Whether all these blobs may be seen in the namespace and are here, bytes and all. Given by
 * whoever knows both; it must call {@linkcode Visibility.find} of the index anew each time.
 */
export type Present = (namespace: string, blobs: readonly BlobRef[]) => boolean | Promise<boolean>;

/** A blob, and who may see it. */
export interface VisibleBlob {
  readonly namespace: string;
  readonly blob: BlobRef;
}

/** A blob, and who may no longer see it. */
export interface HiddenBlob {
  readonly namespace: string;
  readonly digest: Digest;
}

/**
 * One step: all of it or nothing. What goes, goes first: `unlink`, `remove`, `link`, `entries`.
 * An entry may name blobs that the same batch links.
 */
export interface IndexBatch {
  readonly entries?: readonly EntryDraft[];
  readonly remove?: readonly RemoveKey[];
  /** Who removes, for the audit. */
  readonly by?: string | undefined;
  readonly link?: readonly VisibleBlob[];
  readonly unlink?: readonly HiddenBlob[];
}

/** What only an index that writes can do besides, in the same step: behind all the rest. */
export interface KeepBatch {
  /** Entries to forget, without a tombstone: they made room. With `sequence` only that version. */
  readonly letGo?: readonly RemoveKey[];
  /** Entries to pin; what is no entry is passed over. */
  readonly pin?: readonly EntryKey[];
  readonly unpin?: readonly EntryKey[];
}

/** What a batch did. */
export interface IndexCommit {
  /** One for each of the batch's entries, in order. */
  readonly puts: readonly PutOutcome[];
  /** How many of the keys to remove had an entry. */
  readonly removed: number;
  /** How many entries were let go, pinned, unpinned. */
  readonly kept?: number | undefined;
}

/** Totals of all namespaces, kept with every change. */
export interface IndexTotals {
  /** Entries, whether complete or not; tombstones are none. */
  readonly entries: number;
  /** Visible blobs, each counted once a namespace. */
  readonly blobs: number;
  /** Bytes of the same. */
  readonly logical_bytes: number;
}

/** What one namespace sees. */
export interface NamespaceShare {
  readonly namespace: string;
  /** Visible blobs. */
  readonly blobs: number;
  /** Bytes of the same. */
  readonly bytes: number;
}

/** What one scope of a namespace holds. */
export interface SpaceShare {
  readonly namespace: string;
  readonly scope: string;
  /** Entries, whether complete or not. */
  readonly entries: number;
  /** Bytes of the blobs that they name; what two of them name counts twice. */
  readonly bytes: number;
}

/** An entry that may be let go to make room in its namespace. */
export interface Candidate {
  readonly key: EntryKey;
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** The same, of the last known use; 0 if never. */
  readonly used: number;
  /** Bytes of the blobs that it names. */
  readonly bytes: number;
  readonly blobs: readonly BlobRef[];
}

/** A pinned entry. */
export interface PinRow {
  readonly id: EntryId;
  readonly key: EntryKey;
  /** Name of the token that pinned it. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** One time that an entry took the place of another. */
export interface Replacement {
  /** The bodies' digests; `undefined` for an entry without a blob. */
  readonly before: Digest | undefined;
  readonly after: Digest | undefined;
  /** Name of the token that wrote the new one. */
  readonly writer: string;
  /** `created` of the new one. */
  readonly at: number;
}

/** The questions that an index answers on any thread. */
export interface IndexQueries extends MetadataIndex {
  /** Who may see which blob. Synchronous. */
  readonly visibility: Visibility;
  /** Current at once; one look-up. */
  totals(): IndexTotals;
}

/** Options of {@linkcode EntryIndex.summary}. */
export interface SummaryOptions extends SignalOptions {
  /**
   * Tombstones with an older hybrid logical clock are in no summary from now on, also of later
   * questions: stores forget them at different times. Default: the newest that was asked for.
   */
  readonly horizon?: bigint | undefined;
}

/** An index that can be changed. */
export interface EntryIndex extends IndexQueries {
  /**
   * Does all of the batch or nothing; durable and seen by every later call once resolved.
   * @throws {CacheError} `conflict` for an immutable draft whose place is taken by a complete
   * entry, `invalid_argument` for a draft that cannot be stored, what the log threw
   */
  commit(batch: IndexBatch): Promise<IndexCommit>;
  /** The newest replacements of an entry, newest first; at most {@linkcode MAX_REPLACEMENTS}. */
  replacements(key: EntryKey): Promise<Replacement[]>;
  /**
   * What a namespace and scope hash to, item by item, as they are whenever the summary is asked.
   * The first one reads and hashes what was not hashed before, others get their turns meanwhile; an
   * abort leaves the rest to the next one.
   */
  summary(namespace: string, scope: string, options?: SummaryOptions): Promise<SummaryView>;
  /** As `touch`, for a thread that has ids: what a port forwards. */
  touchIds(ids: readonly EntryId[], at: number): void;
}

/** Replacements that are remembered of each entry. */
export const MAX_REPLACEMENTS = 10;

/** What every index needs. */
export interface IndexOptions {
  readonly keys: DomainKeys;
  readonly seal: Seal;
  readonly present: Present;
}

/** What an index that stamps entries needs besides. */
export interface WritingIndexOptions extends IndexOptions {
  /** 8 bytes as 16 hex digits: the store that writes. */
  readonly device: string;
  readonly clock: Clock;
}

/** Options of `openIndexWriter`. */
export interface IndexWriterOptions extends WritingIndexOptions {
  /** The SQLite file, or `:memory:`. */
  readonly path: string;
  readonly log: LogPort;
  /** Where the audit is kept. Default: nowhere, and nothing is noted for it. */
  readonly audit?: { readonly dir: string; readonly limits: AuditLimits } | undefined;
  /** Lets transactions of new rows stay open for a while. Default: each is committed at once. */
  readonly openRows?: OpenRows | undefined;
  /** Bytes of a file up to which it is checked before it is used. Default 64 MiB. */
  readonly checkFirstBytes?: number | undefined;
  /** Hears of what went wrong and was mended: a damaged file set aside, touches that failed. */
  readonly report: (error: CacheError) => void;
}

/** Options of `openIndexReader`. */
export interface IndexReaderOptions extends IndexOptions {
  /** The SQLite file of a writer that is open. */
  readonly path: string;
  /** Hears of rows that cannot be read; they are misses. Default: nobody does. */
  readonly report?: ((error: CacheError) => void) | undefined;
  /** Knows whether rows of the writer are still open. Default: none ever are. */
  readonly behind?: RowsBehind | undefined;
  /** The writer's filter: what it excludes is not looked for. Default: everything is. */
  readonly filter?: KeyFilter | undefined;
  /** Takes uses to the writer; must not wait. Default: they are forgotten. */
  readonly forwardTouch?: ((ids: readonly EntryId[], at: number) => void) | undefined;
}

/** A read-only index over the file of a writer on another thread. */
export interface IndexReader extends IndexQueries {
  /**
   * A question whether an entry was certainly never written; each time it is asked, it is answered
   * without a look at the tables.
   */
  absence(key: EntryKey): () => boolean;
  /** Names this index file; a new one after each rebuild, when sequences start anew. */
  indexId(): string;
}

/** How much {@linkcode IndexWriter.forgetLost} forgot. */
export interface Forgotten {
  readonly entries: number;
  /** Marks of blobs, each counted once a namespace. */
  readonly blobs: number;
}

/** The one index that writes. */
export interface IndexWriter extends EntryIndex {
  /** As {@linkcode EntryIndex.commit}. */
  commit(batch: IndexBatch & KeepBatch): Promise<IndexCommit>;
  /** What all namespaces and scopes hold. */
  shares(): { readonly namespaces: NamespaceShare[]; readonly spaces: SpaceShare[] };
  /** What a namespace sees; one look-up. */
  namespaceShare(namespace: string): NamespaceShare;
  /** What a scope of a namespace holds; one look-up. */
  spaceShare(namespace: string, scope: string): SpaceShare;
  /**
   * Entries of these scopes, all of them where there are at most `limit`, else about so many that
   * chance chose. Each costs the reading of a row.
   */
  sample(namespace: string, scopes: readonly string[], limit: number): Candidate[];
  /** All pinned entries. */
  pins(): PinRow[];
  /** The entry with this identity, complete or not. */
  stored(key: EntryKey): Entry | undefined;
  /** Hears how much more, or less, a scope holds, after each transaction that changed it. */
  watchShares(
    listener: (
      space: Pick<EntryKey, "namespace" | "scope">,
      more: { readonly entries: number; readonly bytes: number },
    ) => void,
  ): void;
  /** Every namespace that was ever written to. */
  namespaces(): string[];
  /** Names this index file; a new one after each rebuild, when sequences start anew. */
  indexId(): string;
  /**
   * Writes the log anew if it has grown past four times what is alive, or if forced; tells
   * whether it did. Drops tombstones older than 30 days.
   */
  compact(options?: { readonly force?: boolean | undefined }): Promise<boolean>;
  /**
   * Forgets entries that name a lost blob, and who may see it, and writes the log anew without
   * them. No tombstones: for peers nothing was deleted. Blobs of no bytes are not asked for.
   */
  forgetLost(isLost: (blob: BlobRow) => boolean): Promise<Forgotten>;
  /** Bytes of the records in the log. */
  logBytes(): number;
  /** The check of a large file after an unclean stop. */
  readonly check: LateCheck;
  /** Ids of all entries, for readers on any thread; of use once {@linkcode learn} is through. */
  readonly filter: KeyFilter;
  /** Reads the ids that are here into {@linkcode filter}, in small steps. A close ends it. */
  learn(signal?: AbortSignal): Promise<void>;
  /**
   * Tells the table who sees which blob from now on, and reads what is visible already into it, in
   * small steps.
   */
  tell(known: KnownBlobsWriter, signal: AbortSignal): Promise<void>;
  /** Commits rows that are open. @throws {CacheError} when the tables do not take them now */
  commitRows(): void;
  /** Bytes of the audit's files. */
  auditBytes(): number;
  /** Cuts damage out of the audit's files. @throws {CacheError} what the system threw */
  mendAudit(): void;
}
