/**
 * The whole cache as server, command line and library see it: entries with bodies over a blob
 * store and an index. A folder of this machine and a server far away are the same thing here.
 */
import type { BatchBlobStore } from "./blob_batches.ts";
import type { ByteSource, ObjectBody, SignalOptions } from "./bytes.ts";
import type { Bytes } from "./digest.ts";
import type { BlobRef, Entry, EntryDraft, EntryKey, RemoveKey } from "./entry.ts";
import type { PutOutcome, ScanItem, ScanOptions } from "./metadata_index.ts";
import type { PinnedEntry, PinTotals } from "./pins.ts";
import type { GoingEntry, QuotaUse } from "./quota.ts";

/** An entry to look for: the first of the scopes that has it wins. */
export interface EntryLookup extends Omit<EntryKey, "scope"> {
  readonly scopes: readonly string[];
  /** The caller wants the body alone: `blobs` of the answer may name no other. Default false. */
  readonly bodyOnly?: boolean | undefined;
}

/** A draft whose body is not hashed yet: `blobs` are the further ones, the body is put in front. */
export type BodyDraft = EntryDraft;

/** Options of {@linkcode Cache.remove}. */
export interface RemoveOptions extends SignalOptions {
  /** Name of the token that removes, for the audit. Default `local`; a server knows it itself. */
  readonly by?: string | undefined;
}

/** Totals, current at once. */
export interface Totals {
  readonly entries: number;
  readonly blobs: number;
  readonly chunks: number;
  /** Bytes of all visible blobs, each counted once a namespace. */
  readonly logical_bytes: number;
  /** Bytes of live records on the medium, headers included. */
  readonly stored_bytes: number;
  readonly hits: number;
  readonly misses: number;
  /** Places that failed their check and were not mended since, where that is known. */
  readonly quarantined?: number | undefined;
}

/** Entries with bodies. Everything that waits takes a signal; a miss is `undefined`. */
export interface Cache extends AsyncDisposable {
  /** The blobs of a namespace. Not to be disposed by the caller. */
  blobs(namespace: string): BatchBlobStore;
  /** The complete entry of the first scope that has one. Counts a hit or a miss. */
  find(lookup: EntryLookup, options?: SignalOptions): Promise<Entry | undefined>;
  /** The body of an entry found before; `undefined` if it was lost meanwhile. */
  body(entry: Entry, options?: SignalOptions): Promise<ObjectBody | undefined>;
  /**
   * Stores body and entry in one durable step.
   * @throws {CacheError} `conflict` when immutable and taken, else as `BlobStore.put`
   */
  put(draft: BodyDraft, body: ByteSource, options?: SignalOptions): Promise<PutOutcome>;
  /**
   * Stores an entry whose blobs, the body first, are in the namespace already. Of a tree (content
   * `tree`) the body is its manifest, and the blobs of its files are added to the entry here.
   * @throws {CacheError} `precondition_failed` when one is not, `conflict` as `put`,
   * `invalid_argument` for a manifest that is refused
   */
  link(draft: EntryDraft, options?: SignalOptions): Promise<PutOutcome>;
  /** Deletes entries; tells how many were there (and, if one was named, of that version). */
  remove(keys: readonly RemoveKey[], options?: RemoveOptions): Promise<number>;
  /** Entries in order. */
  scan(options?: ScanOptions): AsyncIterable<ScanItem>;
  /** Totals over all namespaces, current at once. */
  totals(): Promise<Totals>;
}

/** A blob that a namespace should see and that is not whole any more. */
export interface LostBlob extends BlobRef {
  readonly namespace: string;
}

/** Lost blobs that one report names: its JSON stays below 2 MiB. */
export const MAX_LOST_BLOBS = 10_000;

/** What `verify` found; everything that is not `ok` has a line in `problems`. */
export interface VerifyReport {
  readonly segments: number;
  readonly records: number;
  readonly bytes: number;
  readonly entries: number;
  /** Records that failed a check and were set aside. */
  readonly quarantined: number;
  /** Visible blobs that are no longer whole though nothing evicted them. */
  readonly lost: number;
  /** Entries that name a lost or quarantined blob. */
  readonly broken_entries: number;
  /** Rows of the audit, and places of it that are damaged: nothing brings those back. */
  readonly audit_rows: number;
  readonly audit_damaged: number;
  /** With `repair`: how many of these were dropped cleanly. */
  readonly repaired: number;
  /** The lost blobs themselves, at most {@linkcode MAX_LOST_BLOBS}: to be fetched from elsewhere. */
  readonly lost_blobs: readonly LostBlob[];
  readonly problems: readonly { readonly what: string; readonly where: string }[];
}

/** A pack that goes, or may go, and why. */
export interface GoingPack {
  /** Name of the pack, 32 hex digits. */
  readonly pack: string;
  /** Bytes on the medium. */
  readonly bytes: number;
  /** Bytes of what is alive in it: a collection moves that on, an eviction lets it go. */
  readonly alive: number;
  /** A half sentence for a person. */
  readonly reason: string;
}

/** Packs that one report names as next. */
export const MAX_NEXT_PACKS = 10;

/** What `gc` freed; of a dry run, what it would have freed. */
export interface GcReport {
  readonly dry_run: boolean;
  readonly segments_removed: number;
  /** Records that nothing points to. */
  readonly records_removed: number;
  /** Bytes of the records removed. */
  readonly record_bytes: number;
  /** Bytes of the packs that went, less what was moved out of them. */
  readonly bytes_freed: number;
  /** The packs that went since they were mostly dead. */
  readonly packs: readonly GoingPack[];
  /** What an eviction would take next, the first to go in front; at most {@linkcode MAX_NEXT_PACKS}. */
  readonly next: readonly GoingPack[];
  /** What each namespace holds of what it may. */
  readonly namespaces: readonly QuotaUse[];
  /** What would go next in namespaces that have a quota, the first in front. */
  readonly next_entries: readonly GoingEntry[];
  /** What nothing takes: pinned entries, at most {@linkcode MAX_TOLD_PINS}. */
  readonly kept: readonly PinnedEntry[];
  readonly pinned: PinTotals;
}

/** Pinned entries that one report names. */
export const MAX_TOLD_PINS = 100;

/** Options of {@linkcode Maintenance.gc}. */
export interface GcOptions extends SignalOptions {
  /** Changes nothing and tells what would go. Default false. */
  readonly dryRun?: boolean | undefined;
}

/** Work on the store as a whole, for administrators. */
export interface Maintenance {
  verify(options?: { repair?: boolean } & SignalOptions): Promise<VerifyReport>;
  /** Safe to break off, or to kill, at any time: the next one does what is left. */
  gc(options?: GcOptions): Promise<GcReport>;
}

export type { BlobRef };

/** What one thread of a cache knows without asking the store; it never waits. */
export interface EntryMemory {
  /**
   * What {@linkcode Cache.find} would give, counted and noted as it does; `undefined` if that has to
   * be asked.
   */
  recall(lookup: EntryLookup): Recalled | undefined;
  /** The body of an entry just recalled, if it is in memory. Not to be written to. */
  bytes(entry: Entry): Bytes | undefined;
  /** A question that stays answered; `undefined` for an entry of which that can not be known. */
  hold(lookup: EntryLookup, entry: Entry): Hold | undefined;
}

/** An answer from memory; without an entry it is a miss. */
export interface Recalled {
  readonly entry: Entry | undefined;
}

/**
 * Whether the look-up would still give the same entry with the same body; if so, that is counted as
 * a hit. Once false, it stays so. `now` is of the monotonic clock.
 */
export type Hold = (now: number) => boolean;
