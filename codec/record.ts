/**
 * Record framing: what segments and packs consist of, behind their header. Little-endian.
 *
 * ```
 *  0  4  magic 89 56 52 31 ("\x89VR1")
 *  4  1  kind, see KIND_NUMBER
 *  5  1  codec of the body: 0 as it is, 1 one zstd frame
 *  6  2  reserved, 0
 *  8  4  stored length: bytes of the body as it stands here
 * 12  4  raw length: bytes of the body once decoded
 * 16 32  id
 * 48  4  CRC-32 of the stored body
 * 52  4  CRC-32 of the 52 bytes before
 * 56     stored body
 * ```
 *
 * The CRC is that of zlib and gzip (polynomial 0xEDB88320).
 */
import { crc32 } from "node:zlib";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_RECORD_BYTES } from "../core/limits.ts";
import { KIND_NUMBER } from "../core/record.ts";
import type { RecordKind } from "../core/record.ts";
import { cut } from "../core/slab.ts";
import { decompress } from "./zstd.ts";

/** Bytes of a record's header. */
export const RECORD_HEADER_BYTES = 56;

/** The first bytes of every record; the first of them is no ASCII, so text never holds it. */
export const RECORD_MAGIC: Uint8Array = new Uint8Array([0x89, 0x56, 0x52, 0x31]);

/** How a body is stored: 0 as it is, 1 one zstd frame. */
export type RecordCodec = 0 | 1;

/** What is needed to write a record. */
export interface StoredRecord {
  readonly kind: RecordKind;
  /** 32 bytes. */
  readonly id: Uint8Array;
  readonly codec: RecordCodec;
  /** The body as it will stand behind the header. */
  readonly stored: Uint8Array;
  /** Bytes of the body once decoded; with codec 0 the same as `stored.length`. */
  readonly rawLength: number;
}

/** A header that passed its checks. */
export interface RecordHeader {
  readonly kind: RecordKind;
  readonly codec: RecordCodec;
  /** Bytes of the body behind the header. */
  readonly storedLength: number;
  /** Bytes of the body once decoded. */
  readonly rawLength: number;
  /** 32 bytes, memory of its own. */
  readonly id: Bytes;
  /** CRC-32 of the stored body, as the header states it. */
  readonly bodyCrc: number;
}

const KINDS: (RecordKind | undefined)[] = [];
for (const [kind, number] of Object.entries(KIND_NUMBER)) KINDS[number] = kind as RecordKind;

/** The kind with this number on disk, or `undefined`. */
export function kindOfNumber(number: number): RecordKind | undefined {
  return KINDS[number];
}

/**
 * The header of a record, to be written right before `stored`: two buffers for one `writev`, so
 * that the body is not copied. Throws `RangeError` for a record that no reader would take.
 */
export function encodeHeader(record: StoredRecord): Bytes {
  const { stored, rawLength, codec, id } = record;
  if (id.length !== 32) throw new RangeError(`Cannot write a record with an id of ${id.length} B`);
  if (!fits(codec, stored.length, rawLength)) {
    throw new RangeError(
      `Cannot write a record of ${stored.length} stored and ${rawLength} raw bytes`,
    );
  }
  const header = cut(RECORD_HEADER_BYTES);
  const view = new DataView(header.buffer, header.byteOffset, RECORD_HEADER_BYTES);
  header.set(RECORD_MAGIC);
  header[4] = KIND_NUMBER[record.kind];
  header[5] = codec;
  view.setUint32(8, stored.length, true);
  view.setUint32(12, rawLength, true);
  header.set(id, 16);
  view.setUint32(48, crc32(stored), true);
  view.setUint32(52, crc32(header.subarray(0, 52)), true);
  return header;
}

/**
 * Reads the header at `offset`; `undefined` when there are too few bytes, or magic, CRC, kind,
 * codec or lengths are not what a writer of this format makes.
 */
export function decodeHeader(bytes: Uint8Array, offset = 0): RecordHeader | undefined {
  if (bytes.length - offset < RECORD_HEADER_BYTES || !hasMagic(bytes, offset)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, RECORD_HEADER_BYTES);
  if (view.getUint32(52, true) !== crc32(bytes.subarray(offset, offset + 52))) return undefined;
  const kind = KINDS[view.getUint8(4)];
  const codec = view.getUint8(5);
  const storedLength = view.getUint32(8, true);
  const rawLength = view.getUint32(12, true);
  if (!kind || (codec !== 0 && codec !== 1) || view.getUint16(6, true) !== 0) return undefined;
  if (!fits(codec, storedLength, rawLength)) return undefined;
  return {
    kind,
    codec,
    storedLength,
    rawLength,
    id: new Uint8Array(bytes.subarray(offset + 16, offset + 48)),
    bodyCrc: view.getUint32(48, true),
  };
}

/** What a record must be; as its row in the tables says it. */
export interface ExpectedRecord {
  readonly kind: RecordKind;
  readonly id: Uint8Array;
  readonly codec: RecordCodec;
  /** Bytes of the body as it stands. */
  readonly stored: number;
  /** Bytes of the plain body. */
  readonly raw: number;
}

/**
 * Whether the record at `offset` is whole and the expected one: every field of its header, and both
 * CRC-32. The quick way for reads, which makes nothing but two views.
 */
export function isRecordAt(bytes: Uint8Array, offset: number, expected: ExpectedRecord): boolean {
  const { id, stored } = expected;
  const body = offset + RECORD_HEADER_BYTES;
  if (bytes.length < body + stored || !hasMagic(bytes, offset)) return false;
  if (bytes[offset + 4] !== KIND_NUMBER[expected.kind]) return false;
  if (bytes[offset + 5] !== expected.codec) return false;
  if (bytes[offset + 6] !== 0 || bytes[offset + 7] !== 0) return false;
  if (uint32At(bytes, offset + 8) !== stored) return false;
  if (uint32At(bytes, offset + 12) !== expected.raw) return false;
  for (let i = 0; i < 32; i++) if (bytes[offset + 16 + i] !== id[i]) return false;
  return uint32At(bytes, offset + 52) === crc32(bytes.subarray(offset, offset + 52)) &&
    uint32At(bytes, offset + 48) === crc32(bytes.subarray(body, body + stored));
}

/** Whether `stored` is the body that the header speaks of, by length and CRC-32. */
export function checkBody(header: RecordHeader, stored: Uint8Array): boolean {
  return stored.length === header.storedLength && crc32(stored) === header.bodyCrc;
}

/**
 * The plain body. With codec 0 it is `stored` itself, not a copy. Call `checkBody` first: this
 * looks at the lengths only.
 * @throws {CacheError} `corrupt` when it does not decode to exactly the length in the header
 */
export function openBody(
  header: Pick<RecordHeader, "codec" | "storedLength" | "rawLength">,
  stored: Bytes,
): Bytes {
  if (stored.length !== header.storedLength) {
    throw new CacheError(
      "corrupt",
      `Cannot open a record: its body has ${stored.length} bytes, want ${header.storedLength}`,
      { operation: "record.open" },
    );
  }
  return header.codec === 0 ? stored : decompress(stored, { rawLength: header.rawLength });
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}

function hasMagic(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset] === 0x89 && bytes[offset + 1] === 0x56 && bytes[offset + 2] === 0x52 &&
    bytes[offset + 3] === 0x31;
}

function fits(codec: RecordCodec, storedLength: number, rawLength: number): boolean {
  return storedLength <= MAX_RECORD_BYTES && rawLength <= MAX_RECORD_BYTES &&
    (codec !== 0 || storedLength === rawLength);
}
