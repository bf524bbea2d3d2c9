/** Many small blobs in one step: what one call each would make a thousand round trips of. */
import type { BlobStore } from "./blob_store.ts";
import type { SignalOptions } from "./bytes.ts";
import type { Bytes, Digest } from "./digest.ts";
import type { BlobRef } from "./entry.ts";
import { CacheError } from "./errors.ts";
import { MAX_BATCH_BLOBS, MAX_BATCH_BYTES, MAX_CHUNK_BYTES } from "./limits.ts";

/** A small blob with its bytes. */
export interface SmallBlob {
  readonly digest: Digest;
  /** At most `MAX_CHUNK_BYTES`. */
  readonly bytes: Bytes;
}

/** Bytes that a small blob takes on the wire besides its own: digest and length. */
export const BLOB_HEAD_BYTES = 36;

/**
 * The blobs of one namespace, many at a time. A batch has at most `MAX_BATCH_BLOBS` blobs of at
 * most `MAX_CHUNK_BYTES` each, and `MAX_BATCH_BYTES` with their heads; see {@linkcode batchesOf}.
 */
export interface BlobBatches {
  /** Which of these are not wholly here; any number of digests. */
  missing(digests: readonly Digest[], options?: SignalOptions): Promise<Set<Digest>>;
  /**
   * The same for digests of 32 bytes, one behind the other: a bit for each, set where it is
   * missing; the first one is the lowest of the first byte.
   */
  missingBits(digests: Bytes, options?: SignalOptions): Promise<Bytes>;
  /**
   * Stores a batch and makes it visible, in one durable step: all of it or nothing.
   * @throws {CacheError} `invalid_argument` for a wrong digest, `too_large` for a batch above a
   * limit, `quota_exceeded`
   */
  putBatch(blobs: readonly SmallBlob[], options?: SignalOptions): Promise<void>;
  /**
   * The blobs of a batch that are here, verified, in the order asked; what is missing is left out.
   * @throws {CacheError} `too_large` for a batch above a limit
   */
  getBatch(refs: readonly BlobRef[], options?: SignalOptions): Promise<SmallBlob[]>;
}

/** The blobs of one namespace, one or many at a time. */
export type BatchBlobStore = BlobStore & BlobBatches;

/** Whether a blob of this size may be part of a batch. */
export function isSmall(size: number): boolean {
  return size <= MAX_CHUNK_BYTES;
}

/** Cuts a list of small things into batches, in order. `sizeOf` tells the bytes of each blob. */
export function* batchesOf<T>(
  items: Iterable<T>,
  sizeOf: (item: T) => number,
): Generator<T[], void> {
  let batch: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item) + BLOB_HEAD_BYTES;
    if (batch.length > 0 && (bytes + size > MAX_BATCH_BYTES || batch.length >= MAX_BATCH_BLOBS)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** Refuses what is above a limit of batches. @throws {CacheError} `too_large` */
export function checkBatch(sizes: readonly number[]): void {
  const large = sizes.find((size) => !isSmall(size));
  const bytes = sizes.reduce((sum, size) => sum + size + BLOB_HEAD_BYTES, 0);
  const state = large !== undefined
    ? `a blob has ${large} bytes, want at most ${MAX_CHUNK_BYTES}`
    : sizes.length > MAX_BATCH_BLOBS
    ? `it has ${sizes.length} blobs, want at most ${MAX_BATCH_BLOBS}`
    : bytes > MAX_BATCH_BYTES
    ? `it has ${bytes} bytes, want at most ${MAX_BATCH_BYTES}`
    : undefined;
  if (state === undefined) return;
  throw new CacheError("too_large", `Cannot take the batch of blobs: ${state}`, {
    operation: "blobs.batch",
  });
}
