/** Bytes of blobs as they travel: compressed where that saves something. */
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { compress, decompress } from "../../codec/zstd.ts";
import { violation } from "./messages.ts";
import type { Packed } from "./messages.ts";

/** Bytes at the front that are tried, and the share that must be saved, one in 20. */
const SAMPLE_BYTES = 4096;
const MIN_SAVING = 0.05;
/** Shorter than this the head of a frame is more than is saved. */
const MIN_BYTES = 64;

/** Packs bodies one behind the other. */
export function packBodies(bodies: readonly Bytes[]): Packed {
  const raw = bodies.length === 1 ? bodies[0]! : concat(bodies);
  const plain = { zstd: false, rawLength: raw.length, bytes: raw };
  if (raw.length < MIN_BYTES || !saves(raw.subarray(0, SAMPLE_BYTES))) return plain;
  const bytes = compress(raw);
  return bytes.length < raw.length ? { zstd: true, rawLength: raw.length, bytes } : plain;
}

function saves(sample: Uint8Array): boolean {
  return compress(sample).length <= sample.length * (1 - MIN_SAVING);
}

/**
 * The bytes again, which never are more than was said.
 * @throws {CacheError} `invalid_argument` when they are something else
 */
export function unpack({ zstd, rawLength, bytes }: Packed): Bytes {
  if (!zstd) return bytes;
  try {
    return decompress(bytes, { rawLength });
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    throw violation("what it compressed unpacks to something else", error);
  }
}
