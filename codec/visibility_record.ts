/**
 * Visibility records: from here on a namespace sees these blobs, or does not any more.
 * Little-endian; the id of the record is the namespace id.
 *
 * ```
 *  0  1  version, 1
 *  1  1  kind of record, 7
 *  2  1  1 linked, 0 unlinked
 *  3  1  reserved, 0
 *  4 32  namespace id
 * 36  4  number of blobs n
 * 40 41n blobs: kind u8 (1 chunk, 2 recipe), id 32 bytes, size u64
 *        the sealed part, up to the end of the record
 * ```
 */
import { equalBytes } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { digestBytes, digestFromBytes } from "../core/digest.ts";
import type { BlobRef } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_ENTRY_BLOBS } from "../core/limits.ts";
import { KIND_NUMBER } from "../core/record.ts";
import type { PlainRecord } from "../core/record.ts";
import { cut } from "../core/slab.ts";
import {
  BLOB_ROW_BYTES,
  blobKind,
  checkLogVersion,
  corruptRecord,
  decodeBlobRows,
  encodeBlobRows,
  LOG_RECORD_VERSION,
} from "./clear_part.ts";
import type { BlobRow } from "./clear_part.ts";
import { chunkIdOf, namespaceId } from "./entry_id.ts";
import type { RecordContext } from "./entry_record.ts";
import { decodeNamespace, encodeNamespace } from "./sealed_part.ts";

/** A change of what a namespace sees. */
export interface VisibilityChange {
  readonly namespace: string;
  /** `true`: sees them from here on; `false`: no longer. */
  readonly linked: boolean;
  /** At most `MAX_ENTRY_BLOBS`. Of an unlinked blob the size need not be known: 0. */
  readonly blobs: readonly BlobRef[];
}

/** A visibility record as it was read. */
export interface DecodedVisibility extends Omit<VisibilityChange, "blobs"> {
  /** 32 bytes. */
  readonly namespaceId: Bytes;
  readonly blobs: readonly BlobRow[];
}

const FIXED_BYTES = 40;

/**
 * Makes the record of a change.
 * @throws {CacheError} `invalid_argument` for a bad namespace or too many blobs
 */
export function encodeVisibility(
  change: VisibilityChange,
  context: RecordContext,
): PlainRecord<"visibility"> {
  const { namespace, linked, blobs } = change;
  if (blobs.length > MAX_ENTRY_BLOBS) {
    throw new CacheError(
      "invalid_argument",
      `Cannot write the visibility: ${blobs.length} blobs, want at most ${MAX_ENTRY_BLOBS}`,
      { operation: "visibility_record.encode" },
    );
  }
  const plain = encodeNamespace(namespace);
  const id = namespaceId(context.keys, namespace);
  const clear = cut(FIXED_BYTES + blobs.length * BLOB_ROW_BYTES);
  clear[0] = LOG_RECORD_VERSION;
  clear[1] = KIND_NUMBER.visibility;
  clear[2] = linked ? 1 : 0;
  clear.set(id, 4);
  new DataView(clear.buffer, clear.byteOffset, FIXED_BYTES).setUint32(36, blobs.length, true);
  const rows = blobs.map(({ digest, size }): BlobRow => ({
    kind: blobKind(size),
    id: chunkIdOf(digestBytes(digest)),
    size,
  }));
  encodeBlobRows(clear, FIXED_BYTES, rows);
  const sealed = context.seal.seal(plain, clear);
  const body = cut(clear.length + sealed.length);
  body.set(clear);
  body.set(sealed, clear.length);
  return { kind: "visibility", id, body };
}

/**
 * Reads a visibility record and checks that the namespace's id and name belong together.
 * @throws {CacheError} `corrupt`, `unsupported` for a newer version
 */
export function decodeVisibility(body: Bytes, context: RecordContext): DecodedVisibility {
  if (body.length < FIXED_BYTES) throw corruptRecord(`it has only ${body.length} bytes`);
  checkLogVersion(body[0]!);
  const flag = body[2]!;
  if (body[1] !== KIND_NUMBER.visibility || flag > 1 || body[3] !== 0) {
    throw corruptRecord("its kind or flag is out of range");
  }
  const count = new DataView(body.buffer, body.byteOffset, FIXED_BYTES).getUint32(36, true);
  const blobs = decodeBlobRows(body, FIXED_BYTES, count);
  const clearBytes = FIXED_BYTES + count * BLOB_ROW_BYTES;
  const plain = context.seal.open(body.subarray(clearBytes), body.subarray(0, clearBytes));
  const namespace = decodeNamespace(plain);
  const id = new Uint8Array(body.subarray(4, 36));
  if (!equalBytes(id, namespaceId(context.keys, namespace))) {
    throw corruptRecord("its namespace id is wrong");
  }
  return { namespace, namespaceId: id, linked: flag === 1, blobs };
}

/** The blob of a row, in a store whose chunk ids are plain SHA-256. */
export function blobRefOf(row: BlobRow): BlobRef {
  return { digest: digestFromBytes(row.id), size: row.size };
}
