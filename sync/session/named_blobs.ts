/** What the records of a batch name, in the one order that both sides know. */
import { readClearPart } from "../../codec/entry_record.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { SMALL_BLOB_BYTES } from "../../core/sync_limits.ts";
import type { SyncName } from "../../core/sync_store.ts";
import { violation } from "./messages.ts";

/** A chunk or recipe and how long what it stands for is. */
export interface NamedBlob extends SyncName {
  /** Bytes of the chunk, or of the blob or part of a blob that a recipe makes. */
  readonly length: number;
  readonly key: string;
}

/** Those of a batch, each once, in the order of the records and of their rows. */
export interface NamedBlobs {
  /** They ride in packs. */
  readonly small: readonly NamedBlob[];
  /** They are asked for. */
  readonly large: readonly NamedBlob[];
  /** Of each record the keys of all that it names. */
  readonly byRecord: readonly (readonly string[])[];
}

/** A key for maps. */
export function nameKey({ kind, id }: SyncName): string {
  return `${kind}:${id.toHex()}`;
}

/**
 * Reads what records name, without opening them.
 * @throws {CacheError} `invalid_argument` for what is no record, or names one thing in two lengths
 */
export function namedBlobs(records: readonly Bytes[]): NamedBlobs {
  const known = new Map<string, NamedBlob>();
  const byRecord = records.map((record) =>
    rowsOf(record).map((row) => {
      const key = nameKey(row);
      const blob = known.get(key);
      if (blob && blob.length !== row.size) throw violation("it names one blob in two lengths");
      if (!blob && row.size > 0) {
        known.set(key, { kind: row.kind, id: row.id, length: row.size, key });
      }
      return key;
    })
  );
  const all = [...known.values()];
  return {
    small: all.filter(isSmall),
    large: all.filter((blob) => !isSmall(blob)),
    // Nothing is never stored, and never missing.
    byRecord: byRecord.map((keys) => keys.filter((key) => known.has(key))),
  };
}

function isSmall({ kind, length }: NamedBlob): boolean {
  return kind === "chunk" && length <= SMALL_BLOB_BYTES;
}

function rowsOf(record: Bytes) {
  try {
    return readClearPart(record).blobs;
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    throw violation("what it brings is no record", error);
  }
}
