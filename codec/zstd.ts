/** Zstandard in one go, by node:zlib, for what is small enough to stand in memory. */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_ZSTD_WINDOW_BYTES } from "../core/limits.ts";
import { frameBytes, parseFrameHeader } from "./zstd_frame.ts";

/** What {@linkcode decompress} is told of its result: the exact length, or the most it may be. */
export type DecompressOptions = { readonly rawLength: number } | { readonly limit: number };

/**
 * One zstd frame of `bytes`. `level` is 1 to 19; 1 makes about 270 MB/s. The result owns its
 * memory.
 */
export function compress(bytes: Uint8Array, level = 1): Bytes {
  const compressed = zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: level },
  });
  // Deno 2.9 puts empty frames behind a result of more than 16 KiB: the first one is all of it.
  const end = frameBytes(compressed);
  if (end === undefined || !areEmptyFrames(compressed.subarray(end))) {
    throw new CacheError("internal", "Cannot compress: the engine did not make one frame", {
      operation: "zstd.encode",
    });
  }
  // The buffer behind it is grown in steps of 16 KiB: it would be kept, and transferred, whole.
  return new Uint8Array(compressed.subarray(0, end));
}

/** Whether these are frames of one last raw block of no bytes each, or nothing at all. */
function areEmptyFrames(rest: Uint8Array): boolean {
  let at = 0;
  while (at < rest.length) {
    const length = frameBytes(rest, at);
    if (length === undefined || length > MAX_EMPTY_FRAME_BYTES) return false;
    at += length;
    if (!rest.subarray(at - 3, at).every((byte, n) => byte === EMPTY[n])) return false;
  }
  return true;
}

/** Bytes of the longest header, and of the header of a block. */
const MAX_EMPTY_FRAME_BYTES = 18 + 3;
/** A block header: last, raw, 0 bytes. */
const EMPTY = [1, 0, 0];

/**
 * What exactly one zstd frame decodes to; the result owns its memory. Never makes more bytes than
 * stated.
 * @throws {CacheError} `corrupt` when `bytes` are not one whole frame, or decode to another length
 * than `rawLength`; `too_large` when they decode to more than `limit`
 */
export function decompress(bytes: Uint8Array, options: DecompressOptions): Bytes {
  const exact = "rawLength" in options;
  const most = exact ? options.rawLength : options.limit;
  const header = parseFrameHeader(bytes);
  if (header === "more" || header === "invalid" || header.type !== "data") {
    throw corrupt("no frame begins with these bytes");
  }
  if (frameBytes(bytes) !== bytes.length) throw corrupt("not exactly one whole frame");
  if (header.dictionaryId !== 0) throw corrupt("it wants a dictionary");
  if (header.contentBytes !== undefined && header.contentBytes > most) throw tooLong(exact, most);
  if (header.windowBytes > Math.max(most, MAX_ZSTD_WINDOW_BYTES)) {
    throw corrupt(`it wants a window of ${header.windowBytes} bytes`);
  }
  let raw: Uint8Array;
  try {
    // A limit of 0 means "none" to node:zlib.
    raw = zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, most) });
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") throw tooLong(exact, most);
    throw corrupt("the frame is damaged", thrown);
  }
  const stated = exact ? most : header.contentBytes;
  if (raw.length > most) throw tooLong(exact, most);
  if (stated !== undefined && raw.length !== stated) {
    throw corrupt(`it decodes to ${raw.length} bytes, want ${stated}`);
  }
  return owned(raw);
}

function owned(bytes: Uint8Array): Bytes {
  const whole = bytes.byteOffset === 0 && bytes.buffer.byteLength === bytes.length &&
    bytes.buffer instanceof ArrayBuffer;
  return whole ? new Uint8Array(bytes.buffer as ArrayBuffer) : new Uint8Array(bytes);
}

function tooLong(exact: boolean, most: number): CacheError {
  if (exact) return corrupt(`it decodes to more than ${most} bytes`);
  return new CacheError("too_large", `Cannot decode zstd: more than ${most} bytes`, {
    operation: "zstd.decode",
  });
}

function corrupt(state: string, cause?: unknown): CacheError {
  return new CacheError("corrupt", `Cannot decode zstd: ${state}`, {
    operation: "zstd.decode",
    ...(cause === undefined ? {} : { cause }),
  });
}
