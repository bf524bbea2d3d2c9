/**
 * The outside of zstd frames (RFC 8878, 3.1): what a frame asks for and where it ends. node:zlib
 * tells neither, ignores everything behind the first frame, and answers a cut frame with the bytes
 * it has, so whoever decodes has to know the borders.
 */

/** `28 B5 2F FD`, little-endian. */
const FRAME_MAGIC = 0xfd2fb528;
/** Skippable frames have the sixteen magics from this one on. */
const SKIPPABLE_MAGIC = 0x184d2a50;

/** Bytes that suffice to read any frame header. */
export const MAX_FRAME_HEADER_BYTES = 18;

/** What stands at the beginning of a frame. */
export type FrameHeader =
  | { readonly type: "skippable"; readonly headerBytes: 8; readonly contentBytes: number }
  | {
    readonly type: "data";
    /** Bytes of this header, magic included. */
    readonly headerBytes: number;
    /** Bytes of memory that decoding needs to look back. */
    readonly windowBytes: number;
    /** Bytes that the frame decodes to, if it says so. */
    readonly contentBytes: number | undefined;
    /** Whether four bytes of checksum follow the last block. */
    readonly checksum: boolean;
    /** 0 if none. */
    readonly dictionaryId: number;
  };

/** The answer of {@linkcode parseFrameHeader}: bytes are missing, or no frame begins so. */
export type FrameHeaderResult = FrameHeader | "more" | "invalid";

const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const CONTENT_BYTES = [0, 2, 4, 8] as const;

/** Reads the header of the frame that begins at `offset`. */
export function parseFrameHeader(bytes: Uint8Array, offset = 0): FrameHeaderResult {
  const left = bytes.length - offset;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, left);
  if (left < 4) return magicPossible(bytes.subarray(offset)) ? "more" : "invalid";
  const magic = view.getUint32(0, true);
  if (magic >= SKIPPABLE_MAGIC && magic < SKIPPABLE_MAGIC + 16) {
    if (left < 8) return "more";
    return { type: "skippable", headerBytes: 8, contentBytes: view.getUint32(4, true) };
  }
  if (magic !== FRAME_MAGIC) return "invalid";
  if (left < 5) return "more";
  const descriptor = view.getUint8(4);
  const single = (descriptor & 0x20) !== 0;
  // The reserved bit must be 0; the unused one (0x10) must be ignored.
  if ((descriptor & 0x08) !== 0) return "invalid";
  const dictionaryBytes = DICTIONARY_BYTES[descriptor & 3]!;
  const flag = descriptor >>> 6;
  const contentFieldBytes = flag === 0 ? (single ? 1 : 0) : CONTENT_BYTES[flag]!;
  const headerBytes = 5 + (single ? 0 : 1) + dictionaryBytes + contentFieldBytes;
  if (left < headerBytes) return "more";
  const dictionaryAt = single ? 5 : 6;
  const dictionaryId = readLittleEndian(view, dictionaryAt, dictionaryBytes);
  const field = readLittleEndian(view, dictionaryAt + dictionaryBytes, contentFieldBytes);
  const contentBytes = contentFieldBytes === 0
    ? undefined
    : contentFieldBytes === 2
    ? field + 256
    : field;
  return {
    type: "data",
    headerBytes,
    windowBytes: single ? contentBytes! : windowOf(view.getUint8(5)),
    contentBytes,
    checksum: (descriptor & 0x04) !== 0,
    dictionaryId,
  };
}

/** A block header: three bytes. `storedBytes` follow it. */
export interface BlockHeader {
  readonly last: boolean;
  readonly storedBytes: number;
  readonly valid: boolean;
}

/** Largest block, decoded or stored. */
const MAX_BLOCK_BYTES = 128 * 1024;

/** Reads a block header. */
export function parseBlockHeader(b0: number, b1: number, b2: number): BlockHeader {
  const type = (b0 >>> 1) & 3;
  const size = (b0 >>> 3) + b1 * 32 + b2 * 8192;
  return {
    last: (b0 & 1) === 1,
    // Type 1 (run length) holds one byte, however many it stands for.
    storedBytes: type === 1 ? 1 : size,
    valid: type !== 3 && size <= MAX_BLOCK_BYTES,
  };
}

/** Bytes of the frame that begins at `offset`; `undefined` if it is cut off or no frame. */
export function frameBytes(bytes: Uint8Array, offset = 0): number | undefined {
  const header = parseFrameHeader(bytes, offset);
  if (header === "more" || header === "invalid") return undefined;
  let at = offset + header.headerBytes;
  if (header.type === "skippable") {
    at += header.contentBytes;
    return at <= bytes.length ? at - offset : undefined;
  }
  while (at + 3 <= bytes.length) {
    const block = parseBlockHeader(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!);
    if (!block.valid) return undefined;
    at += 3 + block.storedBytes;
    if (!block.last) continue;
    if (header.checksum) at += 4;
    return at <= bytes.length ? at - offset : undefined;
  }
  return undefined;
}

/** RFC 8878, 3.1.1.1.2. */
function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** Numbers past 2^53 lose their last digits, which is fine for a size that is only compared. */
function readLittleEndian(view: DataView, at: number, bytes: number): number {
  let value = 0;
  for (let i = bytes - 1; i >= 0; i--) value = value * 256 + view.getUint8(at + i);
  return value;
}

/** Whether up to three bytes can be the beginning of a magic. */
function magicPossible(bytes: Uint8Array): boolean {
  const data = [0x28, 0xb5, 0x2f];
  const skippable = [0x50, 0x2a, 0x4d];
  return bytes.every((byte, i) => byte === data[i]) ||
    bytes.every((byte, i) => (i === 0 ? byte & 0xf0 : byte) === skippable[i]);
}
