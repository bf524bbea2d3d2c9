/**
 * The clear part of entry records and tombstones: what peers, eviction and completeness need and
 * what tells nobody a name. Little-endian.
 *
 * ```
 *  0  1  version, 1
 *  1  1  kind of record: 4 entry, 5 tombstone
 *  2  1  content: 1 opaque, 2 action-result, 3 action-result-json, 4 tree; 0 for a tombstone
 *  3  1  reserved, 0
 *  4 52  stamp: epoch u32, hlc u64, device 8 bytes, value hash 32 bytes
 * 56 32  entry id
 * 88  4  number of blobs n
 * 92 41n blobs, the body first: kind u8 (1 chunk, 2 recipe), id 32 bytes, size u64
 *        the sealed part, up to the end of the record
 * ```
 */
import type { Bytes } from "../core/digest.ts";
import type { ContentKind, EntryId, Stamp } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_CHUNK_BYTES, MAX_ENTRY_BLOBS } from "../core/limits.ts";
import { KIND_NUMBER } from "../core/record.ts";
import { cut } from "../core/slab.ts";
import { decodeStamp, encodeStamp, STAMP_BYTES } from "./entry_id.ts";
import { safeAt, setSafe } from "./segment.ts";

/** The version of entry, tombstone and visibility records that this program reads and writes. */
export const LOG_RECORD_VERSION = 1;

/** Bytes of one blob in a record. */
export const BLOB_ROW_BYTES = 41;

/** A blob as records name it: by the id under which its chunk or recipe is stored. */
export interface BlobRow {
  /** `chunk` up to `MAX_CHUNK_BYTES`, above it `recipe`. */
  readonly kind: "chunk" | "recipe";
  /** 32 bytes. */
  readonly id: Bytes;
  /** Bytes of the blob. */
  readonly size: number;
}

/** What an entry record or tombstone says in the clear. */
export interface ClearPart {
  readonly kind: "entry" | "tombstone";
  /** `undefined` for a tombstone. */
  readonly content: ContentKind | undefined;
  readonly stamp: Stamp;
  readonly entryId: EntryId;
  readonly blobs: readonly BlobRow[];
}

const FIXED_BYTES = 92;
const CONTENT: readonly (ContentKind | undefined)[] = [
  undefined,
  "opaque",
  "action-result",
  "action-result-json",
  "tree",
];

/** The kind of the record that holds a blob of this size. */
export function blobKind(size: number): "chunk" | "recipe" {
  return size <= MAX_CHUNK_BYTES ? "chunk" : "recipe";
}

/** Packs a clear part. */
export function encodeClearPart(part: ClearPart): Bytes {
  const bytes = cut(FIXED_BYTES + part.blobs.length * BLOB_ROW_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  bytes[0] = LOG_RECORD_VERSION;
  bytes[1] = KIND_NUMBER[part.kind];
  bytes[2] = CONTENT.indexOf(part.content);
  bytes.set(encodeStamp(part.stamp), 4);
  bytes.set(part.entryId, 56);
  view.setUint32(88, part.blobs.length, true);
  encodeBlobRows(bytes, FIXED_BYTES, part.blobs);
  return bytes;
}

/**
 * Reads the clear part of an entry record or tombstone, and tells how many bytes it has; the
 * sealed part follows it.
 * @throws {CacheError} `corrupt` when a field is out of range, `unsupported` for a newer version
 */
export function decodeClearPart(body: Uint8Array): { part: ClearPart; clearBytes: number } {
  if (body.length < FIXED_BYTES) throw corruptRecord(`it has only ${body.length} bytes`);
  checkLogVersion(body[0]!);
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const kind = body[1] === KIND_NUMBER.entry
    ? "entry"
    : body[1] === KIND_NUMBER.tombstone
    ? "tombstone"
    : undefined;
  const content = CONTENT[body[2]!];
  const count = view.getUint32(88, true);
  if (!kind || body[3] !== 0 || (kind === "entry") !== (content !== undefined)) {
    throw corruptRecord("its kind or content is out of range");
  }
  if (kind === "tombstone" && (count !== 0 || body[2] !== 0)) {
    throw corruptRecord("a tombstone has content");
  }
  const blobs = decodeBlobRows(body, FIXED_BYTES, count);
  const stamp = decodeStamp(body, 4);
  const entryId = new Uint8Array(body.subarray(56, 56 + 32));
  return {
    part: { kind, content, stamp, entryId, blobs },
    clearBytes: FIXED_BYTES + count * BLOB_ROW_BYTES,
  };
}

/** The bytes of the packed stamp in an entry record or tombstone. */
export function stampBytesOf(body: Uint8Array): Uint8Array {
  return body.subarray(4, 4 + STAMP_BYTES);
}

/** Writes rows of blobs at `offset`. */
export function encodeBlobRows(bytes: Bytes, offset: number, blobs: readonly BlobRow[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = offset;
  for (const { kind, id, size } of blobs) {
    bytes[at] = KIND_NUMBER[kind];
    bytes.set(id, at + 1);
    setSafe(view, at + 33, size);
    at += BLOB_ROW_BYTES;
  }
}

/** Reads `count` rows of blobs at `offset`; the ids have memory of their own. */
export function decodeBlobRows(body: Uint8Array, offset: number, count: number): BlobRow[] {
  if (count > MAX_ENTRY_BLOBS || offset + count * BLOB_ROW_BYTES > body.length) {
    throw corruptRecord(`it is too short for ${count} blobs`);
  }
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const blobs: BlobRow[] = [];
  for (let i = 0, at = offset; i < count; i++, at += BLOB_ROW_BYTES) {
    const size = safeAt(view, at + 33);
    const kind = body[at] === KIND_NUMBER.chunk ? "chunk" : "recipe";
    if (body[at] !== KIND_NUMBER[kind] || size === undefined || blobKind(size) !== kind) {
      throw corruptRecord(`blob ${i} has a kind or size out of range`);
    }
    blobs.push({ kind, id: new Uint8Array(body.subarray(at + 1, at + 33)), size });
  }
  return blobs;
}

/** Refuses a record that a newer program wrote. */
export function checkLogVersion(version: number): void {
  if (version === LOG_RECORD_VERSION) return;
  // 0 was never written; what is above may come to be.
  if (version === 0) throw corruptRecord("its version is 0");
  throw new CacheError(
    "unsupported",
    `Cannot read a log record: it has version ${version}, want ${LOG_RECORD_VERSION}`,
    {
      operation: "entry_record.decode",
      hint: `this program reads version ${LOG_RECORD_VERSION}; use the version that wrote it`,
    },
  );
}

/** The error for a log record that breaks the format. */
export function corruptRecord(state: string, cause?: unknown): CacheError {
  return new CacheError("corrupt", `Cannot read a log record: ${state}`, {
    operation: "entry_record.decode",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Bytes of all blobs that the record of an entry names together; 0 for a tombstone. */
export function namedBytes(body: Uint8Array): number {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const count = view.getUint32(88, true);
  let bytes = 0;
  for (let i = 0, at = FIXED_BYTES; i < count; i++, at += BLOB_ROW_BYTES) {
    bytes += safeAt(view, at + 33) ?? 0;
  }
  return bytes;
}
