/** Reads an answer of many small blobs: nothing that was not asked for, and no wrong bytes. */
import type { SmallBlob } from "../core/blob_batches.ts";
import type { Bytes } from "../core/digest.ts";
import { digestOf } from "../core/digest.ts";
import type { BlobRef } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { decodeBlobs } from "../protocol/blob_batch.ts";

/**
 * The blobs of an answer to the question for `refs`; what is not here is left out.
 * @throws {CacheError} `corrupt` for other blobs, another order, other bytes
 */
export function verifiedBatch(all: Bytes, refs: readonly BlobRef[]): SmallBlob[] {
  const blobs = decoded(all);
  let at = 0;
  for (const { digest, bytes } of blobs) {
    while (at < refs.length && refs[at]?.digest !== digest) at++;
    const ref = refs[at++];
    if (!ref) throw corrupt("the server sent a blob that nobody asked for");
    if (ref.size !== bytes.length || digestOf(bytes) !== digest) {
      throw corrupt(`the server sent other bytes for ${digest}`);
    }
  }
  return blobs;
}

function decoded(all: Bytes): SmallBlob[] {
  try {
    return decodeBlobs(all);
  } catch (thrown) {
    if (!(thrown instanceof CacheError)) throw thrown;
    throw corrupt(thrown.message, thrown);
  }
}

function corrupt(state: string, cause?: CacheError): CacheError {
  return new CacheError("corrupt", `Cannot read the batch of blobs: ${state}`, {
    operation: "client.get_batch",
    cause,
  });
}
