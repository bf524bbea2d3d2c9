/**
 * Segments and packs: the header that both begin with, and their names. Little-endian.
 *
 * ```
 *  0  8  magic "VRC-SEG\n"
 *  8  2  format version, 1
 * 10  1  kind: 1 data, 2 log
 * 11  5  reserved, 0
 * 16 16  segment id, a UUIDv7
 * 32  8  created, milliseconds since 1970
 * 40  8  number: log segments are replayed in its order
 * 48  4  reserved, 0
 * 52  4  CRC-32 of the 52 bytes before
 * 56     records
 * ```
 *
 * The shape of these 56 bytes is the same in every version.
 */
import { crc32 } from "node:zlib";
import type { Bytes } from "../core/digest.ts";
import { toHex } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";

/** The version of segments, packs and records that this program reads and writes. */
export const SEGMENT_FORMAT = 1;

/** Bytes of a segment's header; the first record stands behind it. */
export const SEGMENT_HEADER_BYTES = 56;

/** `data`: evicted as a whole. `log`: compacted, never evicted. */
export type SegmentKind = "data" | "log";

/** What a segment says of itself. */
export interface SegmentHeader {
  readonly kind: SegmentKind;
  /** 16 bytes, a UUIDv7; never used twice. */
  readonly id: Bytes;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** Log segments are replayed in its order. A safe integer, 0 or more. */
  readonly number: number;
}

const MAGIC = new TextEncoder().encode("VRC-SEG\n");
const KIND_NUMBERS: Readonly<Record<SegmentKind, number>> = { data: 1, log: 2 };

/** The number of a kind of segment on disk. */
export function segmentKindNumber(kind: SegmentKind): number {
  return KIND_NUMBERS[kind];
}

/** The kind of segment with this number, or `undefined`. */
export function segmentKindOf(number: number): SegmentKind | undefined {
  return number === 1 ? "data" : number === 2 ? "log" : undefined;
}

/** The first bytes of a segment. Throws `RangeError` for an id or numbers that do not fit. */
export function encodeSegmentHeader(header: SegmentHeader): Bytes {
  const { id, created, number } = header;
  if (id.length !== 16) throw new RangeError(`Cannot write a segment id of ${id.length} bytes`);
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(8, SEGMENT_FORMAT, true);
  view.setUint8(10, KIND_NUMBERS[header.kind]);
  bytes.set(id, 16);
  setSafe(view, 32, created);
  setSafe(view, 40, number);
  view.setUint32(52, crc32(bytes.subarray(0, 52)), true);
  return bytes;
}

/**
 * Reads the first bytes of a segment or pack.
 * @throws {CacheError} `corrupt` when they are no such header, `unsupported` when a newer program
 * wrote it
 */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES) throw corrupt(`it has only ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, SEGMENT_HEADER_BYTES);
  if (!MAGIC.every((byte, i) => byte === bytes[i])) {
    throw corrupt("it does not begin with a header");
  }
  if (view.getUint32(52, true) !== crc32(bytes.subarray(0, 52))) {
    throw corrupt("the CRC of its header is wrong");
  }
  checkVersion(view.getUint16(8, true), "segment");
  const kind = segmentKindOf(view.getUint8(10));
  const created = safeAt(view, 32);
  const number = safeAt(view, 40);
  const reserved = view.getUint32(11, true) + view.getUint8(15) + view.getUint32(48, true);
  if (!kind || created === undefined || number === undefined || reserved !== 0) {
    throw corrupt("a field of its header is out of range");
  }
  return { kind, id: new Uint8Array(bytes.subarray(16, 32)), created, number };
}

/** Refuses what a newer program wrote, and names the version that this one reads. */
export function checkVersion(version: number, what: string): void {
  if (version === SEGMENT_FORMAT) return;
  throw new CacheError(
    "unsupported",
    `Cannot read the ${what}: it has format ${version}, want ${SEGMENT_FORMAT}`,
    {
      operation: "segment.decode",
      hint: `this program reads format ${SEGMENT_FORMAT}; use the version that wrote it`,
    },
  );
}

/** A new segment id: a UUIDv7 (RFC 9562, 5.7) of this time, 16 bytes. */
export function newSegmentId(nowMs: number): Bytes {
  const id = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(id.buffer);
  view.setUint16(0, Math.floor(nowMs / 2 ** 32) % 2 ** 16);
  view.setUint32(2, nowMs % 2 ** 32);
  id[6] = 0x70 | (id[6]! & 0x0f);
  id[8] = 0x80 | (id[8]! & 0x3f);
  return id;
}

/** The name of a segment: its id as 32 hex digits. */
export function segmentName(id: Uint8Array): string {
  return toHex(id);
}

/**
 * The object key of a sealed segment: `<kind>/<2 hex>/<name>`. The two digits are the last ones,
 * which are random; the first ones of a UUIDv7 are its time.
 */
export function packKey(segment: Pick<SegmentHeader, "kind" | "id">): string {
  const name = segmentName(segment.id);
  return `${segment.kind}/${name.slice(-2)}/${name}`;
}

/** Writes a safe integer as a u64. Throws `RangeError` for anything else. */
export function setSafe(view: DataView, at: number, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`Cannot write ${value}: want a safe integer, 0 or more`);
  }
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** Reads a u64; `undefined` above 2^53 - 1. */
export function safeAt(view: DataView, at: number): number | undefined {
  const high = view.getUint32(at + 4, true);
  return high > 0x1fffff ? undefined : high * 2 ** 32 + view.getUint32(at, true);
}

function corrupt(state: string): CacheError {
  return new CacheError("corrupt", `Cannot read the segment: ${state}`, {
    operation: "segment.decode",
  });
}
