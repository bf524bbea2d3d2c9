/**
 * The end of a sealed pack: an index of its records, so that a pack explains itself. Little-endian.
 *
 * ```
 * rows, sorted by (kind number, id, offset), 52 bytes each:
 *  0  1  kind          1  1  codec         2  2  reserved, 0
 *  4  4  stored length 8  4  raw length   12 32  id
 * 44  8  offset of the record's header in the pack
 *
 * trailer, the last 64 bytes of the pack:
 *  0  8  magic "VRC-END\n"
 *  8  2  format version, 1
 * 10  1  kind of segment, 1 data, 2 log
 * 11  1  reserved, 0
 * 12  4  number of rows
 * 16  8  bytes of all rows
 * 24 16  segment id
 * 40  8  offset of the first row: where the records end
 * 48  8  reserved, 0
 * 56  4  CRC-32 of all rows
 * 60  4  CRC-32 of the 60 bytes before
 * ```
 */
import { crc32 } from "node:zlib";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_RECORD_BYTES } from "../core/limits.ts";
import { KIND_NUMBER } from "../core/record.ts";
import type { RecordKind } from "../core/record.ts";
import { kindOfNumber, RECORD_HEADER_BYTES } from "./record.ts";
import type { RecordCodec } from "./record.ts";
import {
  checkVersion,
  safeAt,
  SEGMENT_FORMAT,
  SEGMENT_HEADER_BYTES,
  segmentKindNumber,
  segmentKindOf,
  setSafe,
} from "./segment.ts";
import type { SegmentKind } from "./segment.ts";

/** Bytes of the trailer, the last of a pack. */
export const TRAILER_BYTES = 64;
/** Bytes of one row of the footer. */
export const FOOTER_ROW_BYTES = 52;

/** Where one record of a pack stands. */
export interface FooterRow {
  readonly kind: RecordKind;
  readonly codec: RecordCodec;
  readonly storedLength: number;
  readonly rawLength: number;
  /** 32 bytes; of a decoded footer a view of it. */
  readonly id: Uint8Array;
  /** Of its header, from the start of the pack. */
  readonly offset: number;
}

/** The last bytes of a pack. */
export interface Trailer {
  readonly kind: SegmentKind;
  /** 16 bytes. */
  readonly segmentId: Bytes;
  readonly rowCount: number;
  /** Where the records end and the rows begin. */
  readonly recordsEnd: number;
  /** Bytes of the rows, without the trailer. */
  readonly rowsBytes: number;
  readonly rowsCrc: number;
}

const MAGIC = new TextEncoder().encode("VRC-END\n");

/** Rows and trailer, to be written behind the last record. The rows may come in any order. */
export function encodeFooter(
  pack: Pick<Trailer, "kind" | "segmentId" | "recordsEnd">,
  rows: readonly FooterRow[],
): Bytes {
  const sorted = rows.toSorted(compareRows);
  const rowsBytes = sorted.length * FOOTER_ROW_BYTES;
  const bytes = new Uint8Array(rowsBytes + TRAILER_BYTES);
  const view = new DataView(bytes.buffer);
  sorted.forEach((row, i) => {
    const at = i * FOOTER_ROW_BYTES;
    view.setUint8(at, KIND_NUMBER[row.kind]);
    view.setUint8(at + 1, row.codec);
    view.setUint32(at + 4, row.storedLength, true);
    view.setUint32(at + 8, row.rawLength, true);
    bytes.set(row.id, at + 12);
    setSafe(view, at + 44, row.offset);
  });
  bytes.set(MAGIC, rowsBytes);
  view.setUint16(rowsBytes + 8, SEGMENT_FORMAT, true);
  view.setUint8(rowsBytes + 10, segmentKindNumber(pack.kind));
  view.setUint32(rowsBytes + 12, sorted.length, true);
  setSafe(view, rowsBytes + 16, rowsBytes);
  bytes.set(pack.segmentId, rowsBytes + 24);
  setSafe(view, rowsBytes + 40, pack.recordsEnd);
  view.setUint32(rowsBytes + 56, crc32(bytes.subarray(0, rowsBytes)), true);
  view.setUint32(rowsBytes + 60, crc32(bytes.subarray(rowsBytes, rowsBytes + 60)), true);
  return bytes;
}

/**
 * Reads the last 64 bytes of a pack of `packBytes` bytes. Read `rowsBytes` at `recordsEnd` next.
 * @throws {CacheError} `corrupt`, also for a segment that is not sealed; `unsupported`
 */
export function decodeTrailer(bytes: Uint8Array, packBytes: number): Trailer {
  if (bytes.length !== TRAILER_BYTES) throw corrupt(`its trailer has ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, TRAILER_BYTES);
  if (!MAGIC.every((byte, i) => byte === bytes[i])) throw corrupt("it does not end in a trailer");
  if (view.getUint32(60, true) !== crc32(bytes.subarray(0, 60))) {
    throw corrupt("the CRC of its trailer is wrong");
  }
  checkVersion(view.getUint16(8, true), "pack");
  const kind = segmentKindOf(view.getUint8(10));
  const rowCount = view.getUint32(12, true);
  const rowsBytes = safeAt(view, 16);
  const recordsEnd = safeAt(view, 40);
  const reserved = view.getUint8(11) + view.getUint32(48, true) + view.getUint32(52, true);
  if (
    !kind || reserved !== 0 || recordsEnd === undefined || recordsEnd < SEGMENT_HEADER_BYTES ||
    rowsBytes !== rowCount * FOOTER_ROW_BYTES ||
    recordsEnd + rowsBytes + TRAILER_BYTES !== packBytes
  ) {
    throw corrupt("a field of its trailer is out of range");
  }
  const segmentId = new Uint8Array(bytes.subarray(24, 40));
  return { kind, segmentId, rowCount, recordsEnd, rowsBytes, rowsCrc: view.getUint32(56, true) };
}

/**
 * Reads the rows of a footer: `bytes` are those between the records and the trailer. The ids are
 * views of `bytes`.
 * @throws {CacheError} `corrupt` when CRC, order or any row is wrong, or records overlap
 */
export function decodeFooter(bytes: Uint8Array, trailer: Trailer): FooterRow[] {
  checkSum(bytes, trailer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const rows: FooterRow[] = [];
  for (let at = 0; at < bytes.length; at += FOOTER_ROW_BYTES) {
    const row = decodeRow(bytes, view, at);
    if (rows.length > 0 && compareRows(rows[rows.length - 1]!, row) >= 0) throw unsorted();
    rows.push(row);
  }
  checkPlaces(rows.toSorted((a, b) => a.offset - b.offset), trailer.recordsEnd);
  return rows;
}

/**
 * Checks the rows of a footer as {@linkcode decodeFooter} does, without making any: of a pack of small
 * records they would take 90 MB.
 * @throws {CacheError} `corrupt`
 */
export function checkFooter(bytes: Uint8Array, trailer: Trailer): void {
  checkSum(bytes, trailer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // Offset and stored length in one word, so that it sorts by offset.
  const places = new BigUint64Array(trailer.rowCount);
  for (let n = 0; n < places.length; n++) {
    const at = n * FOOTER_ROW_BYTES;
    const { offset, storedLength } = decodeRow(bytes, view, at);
    if (n > 0 && compareStored(view, at - FOOTER_ROW_BYTES, at) >= 0) throw unsorted();
    places[n] = BigInt(offset) << 32n | BigInt(storedLength);
  }
  const inOrder = function* () {
    for (const place of places.sort()) {
      yield { offset: Number(place >> 32n), storedLength: Number(place & 0xffff_ffffn) };
    }
  };
  checkPlaces(inOrder(), trailer.recordsEnd);
}

/** {@linkcode compareRows} of two rows as they stand in their footer. */
function compareStored(view: DataView, a: number, b: number): number {
  const kinds = view.getUint8(a) - view.getUint8(b);
  if (kinds !== 0) return kinds;
  for (let i = 12; i < 44; i += 4) {
    const difference = view.getUint32(a + i) - view.getUint32(b + i);
    if (difference !== 0) return difference;
  }
  return safeAt(view, a + 44)! - safeAt(view, b + 44)!;
}

/** The order of rows: by kind number, id, offset. */
export function compareRows(a: FooterRow, b: FooterRow): number {
  if (a.kind !== b.kind) return KIND_NUMBER[a.kind] - KIND_NUMBER[b.kind];
  for (let i = 0; i < 32; i++) {
    const difference = a.id[i]! - b.id[i]!;
    if (difference !== 0) return difference;
  }
  return a.offset - b.offset;
}

function decodeRow(bytes: Uint8Array, view: DataView, at: number): FooterRow {
  const kind = kindOfNumber(view.getUint8(at));
  const codec = view.getUint8(at + 1);
  const storedLength = view.getUint32(at + 4, true);
  const rawLength = view.getUint32(at + 8, true);
  const offset = safeAt(view, at + 44);
  if (
    !kind || (codec !== 0 && codec !== 1) || view.getUint16(at + 2, true) !== 0 ||
    storedLength > MAX_RECORD_BYTES || rawLength > MAX_RECORD_BYTES ||
    (codec === 0 && storedLength !== rawLength) || offset === undefined
  ) {
    throw corrupt("a row of its footer is out of range");
  }
  return { kind, codec, storedLength, rawLength, id: bytes.subarray(at + 12, at + 44), offset };
}

function checkSum(bytes: Uint8Array, trailer: Trailer): void {
  if (bytes.length !== trailer.rowsBytes || crc32(bytes) !== trailer.rowsCrc) {
    throw corrupt("the CRC of its footer is wrong");
  }
}

/** Every record lies between header and footer, and none on another. In the order of offsets. */
function checkPlaces(
  rows: Iterable<Pick<FooterRow, "offset" | "storedLength">>,
  recordsEnd: number,
): void {
  let end = SEGMENT_HEADER_BYTES;
  for (const row of rows) {
    if (row.offset < end) throw corrupt("records of its footer overlap");
    end = row.offset + RECORD_HEADER_BYTES + row.storedLength;
  }
  if (end > recordsEnd) throw corrupt("a record of its footer reaches into the footer");
}

function unsorted(): CacheError {
  return corrupt("its footer is not sorted");
}

function corrupt(state: string): CacheError {
  return new CacheError("corrupt", `Cannot read the pack: ${state}`, { operation: "pack.decode" });
}
