/** Interface 2: bytes by digest, as one namespace sees them. */
import type { ByteRange, ByteSource, ObjectBody, SignalOptions } from "./bytes.ts";
import type { Digest } from "./digest.ts";
import type { BlobRef } from "./entry.ts";

/** Options of {@linkcode BlobStore.get}. */
export interface BlobGetOptions extends SignalOptions {
  /** Only these bytes; an end past the blob's is cut. */
  readonly range?: ByteRange | undefined;
}

/**
 * Blobs of one namespace. Verified: a `put` whose bytes do not hash to the digest keeps nothing;
 * a `get` never hands out wrong bytes, it breaks the stream or is a miss instead. A blob that is
 * stored but not visible here looks exactly like one that is not stored.
 */
export interface BlobStore extends AsyncDisposable {
  readonly namespace: string;
  /**
   * The blob, or `undefined`. The caller owns the body.
   * @throws {CacheError} `range_not_satisfiable` for a start at or past the end
   */
  get(digest: Digest, options?: BlobGetOptions): Promise<ObjectBody | undefined>;
  /**
   * Reads the source to its end, verifies it, and makes it visible here; durable when resolved.
   * With `digest` undefined the digest is found out. The stream is always read or cancelled.
   * @throws {CacheError} `invalid_argument` for a wrong digest or length, `too_large`,
   * `quota_exceeded` on a full disk, `cancelled`
   */
  put(digest: Digest | undefined, source: ByteSource, options?: SignalOptions): Promise<BlobRef>;
  /** One answer a digest, in the order asked; `undefined` for one that is not wholly here. */
  stat(digests: readonly Digest[], options?: SignalOptions): Promise<(BlobRef | undefined)[]>;
  /** Takes the blobs out of this namespace; a missing one is fine. Bytes go at the next collect. */
  delete(digests: readonly Digest[], options?: SignalOptions): Promise<void>;
  /** Blobs in order of their digests, behind `after`. */
  list(options?: SignalOptions & { after?: Digest | undefined }): AsyncIterable<BlobRef>;
}
