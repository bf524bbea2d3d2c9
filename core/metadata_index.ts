/** Interface 3: which entries are here, in order. */
import type { SignalOptions } from "./bytes.ts";
import type { Bytes, Digest } from "./digest.ts";
import type { BlobRef, Entry, EntryDraft, EntryKey, Tombstone } from "./entry.ts";

/** Options of {@linkcode MetadataIndex.scan}. All filters must hold. */
export interface ScanOptions extends SignalOptions {
  readonly namespace?: string | undefined;
  /** Any of these scopes. Default: all. */
  readonly scopes?: readonly string[] | undefined;
  readonly protocol?: string | undefined;
  /** Only keys that begin with this. */
  readonly prefix?: string | undefined;
  /** Only entries that this token wrote, by its name. */
  readonly writer?: string | undefined;
  /** Only entries that were created then or later, milliseconds since 1970. */
  readonly since?: number | undefined;
  /** Only entries that were created before, milliseconds since 1970. */
  readonly until?: number | undefined;
  /**
   * `key`: by (namespace, scope, protocol, key); `sequence`: oldest change first; `newest`: entries
   * alone, latest change of this store first, whatever clocks say, and namespace, scopes and
   * protocol must be named. Default `key`.
   */
  readonly order?: "key" | "sequence" | "newest" | undefined;
  /** With order `sequence`: only changes after this one. Default 0. */
  readonly afterSequence?: number | undefined;
  /** With order `key`: only entries behind this one. */
  readonly after?: EntryKey | undefined;
  /** Tombstones too. Default false. */
  readonly tombstones?: boolean | undefined;
  /** Incomplete entries too. Default false. */
  readonly incomplete?: boolean | undefined;
  /** The caller wants bodies alone: `blobs` of entries may name no other. Default false. */
  readonly bodyOnly?: boolean | undefined;
  /** At most this many. Default: no limit. */
  readonly limit?: number | undefined;
}

/** One row of a scan. */
export type ScanItem =
  | { readonly type: "entry"; readonly entry: Entry }
  | { readonly type: "tombstone"; readonly tombstone: Tombstone };

/** What {@linkcode MetadataIndex.put} did. */
export interface PutOutcome {
  readonly entry: Entry;
  /** What stood there before, of the same identity, complete or not. */
  readonly replaced: Entry | undefined;
}

/** A short summary of a range of the entry space. */
export interface RangeSummary {
  readonly count: number;
  /** SHA-256 of the sorted item ids, 32 bytes. */
  readonly fingerprint: Bytes;
}

/**
 * What is here, in order. A `put` or `delete` that resolved is durable and seen by every later
 * call on every thread. An entry whose blobs are not all here is a miss, but its record stays.
 */
export interface MetadataIndex extends AsyncDisposable {
  /** The complete entry with this identity, else `undefined`. */
  get(key: EntryKey, options?: SignalOptions): Promise<Entry | undefined>;
  /**
   * Stamps and stores an entry.
   * @throws {CacheError} `conflict` when the draft is immutable and a complete entry stands there
   */
  put(draft: EntryDraft, options?: SignalOptions): Promise<PutOutcome>;
  /** Leaves a tombstone for each that is here; tells how many were. */
  delete(keys: readonly EntryKey[], options?: SignalOptions): Promise<number>;
  /** Entries in order; a consistent snapshot is not promised across awaits, order is. */
  scan(options?: ScanOptions): AsyncIterable<ScanItem>;
  /** Count and fingerprint of all item ids (tombstones included) that begin with these hex digits. */
  summarize(namespace: string, scope: string, prefix: string): Promise<RangeSummary>;
  /** Notes a use of these entries; buffered, never waits for the disk. */
  touch(keys: readonly EntryKey[], at: number): void;
}

/**
 * Who may see a blob: visibility is not storage. Asked before the bytes are.
 * Calls are synchronous: they are one look-up in a local table.
 */
export interface Visibility {
  /** The size of each blob that this namespace may see, `undefined` for the others. */
  find(namespace: string, digests: readonly Digest[]): (number | undefined)[];
  /** The number by which a shared table names the namespace; `undefined` if it has none yet. */
  numberOf(namespace: string): number | undefined;
  /** Blobs of a namespace in order of their digests, behind `after`. */
  list(namespace: string, after: Digest | undefined, limit: number): BlobRef[];
}
