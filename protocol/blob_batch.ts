/**
 * Many small blobs in one body, one behind the other:
 *
 * ```
 *  0 32  SHA-256 of the bytes
 * 32  4  bytes n, little-endian
 * 36  n  the bytes
 * ```
 */
import { BLOB_HEAD_BYTES } from "../core/blob_batches.ts";
import type { SmallBlob } from "../core/blob_batches.ts";
import type { Bytes } from "../core/digest.ts";
import { digestBytes, digestFromBytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_BATCH_BLOBS, MAX_CHUNK_BYTES } from "../core/limits.ts";

/** Media type of such a body. */
export const BLOBS_MEDIA_TYPE = "application/vnd.vitte.blobs";

/** Media type of digests of 32 bytes, one behind the other, and of the bits in the answer. */
export const DIGESTS_MEDIA_TYPE = "application/vnd.vitte.digests";

/** The blobs as one body. */
export function encodeBlobs(blobs: readonly SmallBlob[]): Bytes {
  const size = blobs.reduce((sum, { bytes }) => sum + BLOB_HEAD_BYTES + bytes.length, 0);
  const all = new Uint8Array(size);
  const view = new DataView(all.buffer);
  let at = 0;
  for (const { digest, bytes } of blobs) {
    all.set(digestBytes(digest), at);
    view.setUint32(at + 32, bytes.length, true);
    all.set(bytes, at + BLOB_HEAD_BYTES);
    at += BLOB_HEAD_BYTES + bytes.length;
  }
  return all;
}

/**
 * The blobs of a body, as views of it. That their bytes have these digests is not checked here.
 * @throws {CacheError} `invalid_argument` for a body that is cut off, `too_large` for more blobs or
 * larger ones than a batch may have
 */
export function decodeBlobs(all: Bytes): SmallBlob[] {
  const view = new DataView(all.buffer, all.byteOffset, all.length);
  const blobs: SmallBlob[] = [];
  let at = 0;
  while (at < all.length) {
    if (at + BLOB_HEAD_BYTES > all.length) throw cutOff();
    const digest = digestFromBytes(all.subarray(at, at + 32));
    const size = view.getUint32(at + 32, true);
    if (size > MAX_CHUNK_BYTES) {
      throw tooLarge(`a blob has ${size} bytes, want at most ${MAX_CHUNK_BYTES}`);
    }
    at += BLOB_HEAD_BYTES;
    if (at + size > all.length) throw cutOff();
    if (blobs.length >= MAX_BATCH_BLOBS) throw tooLarge(`want at most ${MAX_BATCH_BLOBS} blobs`);
    blobs.push({ digest, bytes: all.subarray(at, at + size) });
    at += size;
  }
  return blobs;
}

function cutOff(): CacheError {
  return new CacheError("invalid_argument", "Cannot read the batch of blobs: it is cut off", {
    operation: "blobs.decode",
  });
}

function tooLarge(state: string): CacheError {
  return new CacheError("too_large", `Cannot read the batch of blobs: ${state}`, {
    operation: "blobs.decode",
  });
}
