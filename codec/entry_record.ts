/**
 * Entry records and tombstones: a clear part that peers, eviction and completeness read, and a
 * sealed part with everything that has a name. See `clear_part.ts` and `sealed_part.ts`.
 */
import { equalBytes } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { digestBytes, toHex } from "../core/digest.ts";
import type { EntryFacts, EntryId, EntryKey, Stamp } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_RECORD_BYTES } from "../core/limits.ts";
import type { LogKind, PlainRecord } from "../core/record.ts";
import { cut } from "../core/slab.ts";
import {
  blobKind,
  corruptRecord,
  decodeClearPart,
  encodeClearPart,
  stampBytesOf,
} from "./clear_part.ts";
import type { BlobRow, ClearPart } from "./clear_part.ts";
import { chunkIdOf, entryId, valueHash } from "./entry_id.ts";
import type { DomainKeys } from "./entry_id.ts";
import { hmacSha256 } from "./hmac.ts";
import type { Seal } from "./seal.ts";
import {
  decodeEntryFacts,
  decodeEntryKey,
  encodeEntryFacts,
  encodeEntryKey,
} from "./sealed_part.ts";

/** What records are written and opened with. */
export interface RecordContext {
  readonly keys: DomainKeys;
  readonly seal: Seal;
}

/** A version without the value hash, which follows from the facts. */
export type Version = Omit<Stamp, "valueHash">;

/** A record that is ready for the log. */
export interface EncodedRecord<K extends LogKind> {
  readonly record: PlainRecord<K>;
  readonly stamp: Stamp;
  readonly entryId: EntryId;
}

/** An entry as its record tells it; sequence and last use are the index's own. */
export interface DecodedEntry {
  readonly facts: EntryFacts;
  readonly stamp: Stamp;
  readonly entryId: EntryId;
  /** The blobs by their stored ids, in the order of `facts.blobs`. */
  readonly blobs: readonly BlobRow[];
}

/** A tombstone as its record tells it. */
export interface DecodedTombstone {
  readonly key: EntryKey;
  readonly stamp: Stamp;
  readonly entryId: EntryId;
}

/**
 * Makes the record of an entry. Its id is the entry id, `known` where that was made already.
 * @throws {CacheError} `invalid_argument` for facts over a limit or text with lone surrogates,
 * `too_large` for an entry that fits no record
 */
export function encodeEntry(
  facts: EntryFacts,
  version: Version,
  context: RecordContext,
  known?: EntryId,
): EncodedRecord<"entry"> {
  const blobs = facts.blobs.map(({ digest, size }): BlobRow => ({
    kind: blobKind(size),
    id: chunkIdOf(digestBytes(digest)),
    size,
  }));
  const plain = encodeEntryFacts(facts);
  return assemble({ kind: "entry", content: facts.content, blobs, key: facts, plain }, {
    version,
    context,
    id: known ?? entryId(context.keys, facts),
  });
}

/**
 * Reads the record of an entry and checks that all of it belongs together: entry id and value
 * hash, digests and blob ids, content in both parts.
 * @throws {CacheError} `corrupt` when it does not, or was made with other keys; `unsupported` for
 * a newer version
 */
export function decodeEntry(body: Bytes, context: RecordContext): DecodedEntry {
  const { part, plain } = openParts(body, "entry", context);
  const { digests, ...rest } = decodeEntryFacts(plain);
  checkEntryId(rest, part, context);
  if (rest.content !== part.content) throw corruptRecord("its two parts differ in content");
  if (digests.length !== part.blobs.length) throw corruptRecord("its two parts differ in blobs");
  const blobs = digests.map((digest, i) => {
    const row = part.blobs[i]!;
    if (!equalBytes(row.id, chunkIdOf(digestBytes(digest)))) {
      throw corruptRecord(`its two parts differ in blob ${i}`);
    }
    return { digest, size: row.size };
  });
  return {
    facts: { ...rest, blobs },
    stamp: part.stamp,
    entryId: part.entryId,
    blobs: part.blobs,
  };
}

/** Makes the tombstone of an entry. Its record id is the entry id. */
export function encodeTombstone(
  key: EntryKey,
  version: Version,
  context: RecordContext,
): EncodedRecord<"tombstone"> {
  const plain = encodeEntryKey(key);
  return assemble({ kind: "tombstone", content: undefined, blobs: [], key, plain }, {
    version,
    context,
    id: entryId(context.keys, key),
  });
}

/** Reads a tombstone as strictly as {@linkcode decodeEntry} reads an entry. */
export function decodeTombstone(body: Bytes, context: RecordContext): DecodedTombstone {
  const { part, plain } = openParts(body, "tombstone", context);
  const key = decodeEntryKey(plain);
  checkEntryId(key, part, context);
  return { key, stamp: part.stamp, entryId: part.entryId };
}

/**
 * What an entry record or tombstone says in the clear, unopened: its ids need no key, and nothing
 * proves that they belong together.
 * @throws {CacheError} `corrupt`, `unsupported`
 */
export function readClearPart(body: Uint8Array): ClearPart {
  return decodeClearPart(body).part;
}

/** The item id of a record's version in summaries, straight from its bytes; see `itemId`. */
export function itemIdOfRecord(keys: DomainKeys, body: Uint8Array): Bytes {
  const id = body.subarray(56, 56 + 32);
  return hmacSha256(keys.indexKey, id, stampBytesOf(body)).slice(0, 16);
}

interface Parts<K> extends Omit<ClearPart, "stamp" | "entryId"> {
  readonly kind: K & ClearPart["kind"];
  readonly key: EntryKey;
  readonly plain: Bytes;
}

function assemble<K extends "entry" | "tombstone">(
  parts: Parts<K>,
  { version, context, id }: { version: Version; context: RecordContext; id: EntryId },
): EncodedRecord<K> {
  const hash = toHex(valueHash(context.keys, parts.plain));
  const stamp: Stamp = {
    epoch: version.epoch,
    hlc: version.hlc,
    device: version.device,
    valueHash: hash,
  };
  const clear = encodeClearPart({ ...parts, stamp, entryId: id });
  const sealed = context.seal.seal(parts.plain, clear);
  const size = clear.length + sealed.length;
  if (size > MAX_RECORD_BYTES) {
    throw new CacheError(
      "too_large",
      `Cannot write the entry: its record has ${size} bytes, want at most ${MAX_RECORD_BYTES}`,
      { operation: "entry_record.encode" },
    );
  }
  const body = cut(size);
  body.set(clear);
  body.set(sealed, clear.length);
  return { record: { kind: parts.kind, id, body }, stamp, entryId: id };
}

function openParts(
  body: Bytes,
  kind: ClearPart["kind"],
  context: RecordContext,
): { part: ClearPart; plain: Bytes } {
  const { part, clearBytes } = decodeClearPart(body);
  if (part.kind !== kind) throw corruptRecord(`it is of kind "${part.kind}", want "${kind}"`);
  const plain = context.seal.open(body.subarray(clearBytes), body.subarray(0, clearBytes));
  if (toHex(valueHash(context.keys, plain)) !== part.stamp.valueHash) {
    throw corruptRecord("its value hash is wrong");
  }
  return { part, plain };
}

function checkEntryId(key: EntryKey, part: ClearPart, context: RecordContext): void {
  if (equalBytes(entryId(context.keys, key), part.entryId)) return;
  throw corruptRecord("its entry id is wrong");
}
