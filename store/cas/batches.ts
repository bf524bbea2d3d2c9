/** Many small blobs at once: one step of the writer, one look-up each to read. */
import { chunkIdOf } from "../../codec/entry_id.ts";
import { throwIfAborted } from "../../core/abort.ts";
import { checkBatch } from "../../core/blob_batches.ts";
import type { SmallBlob } from "../../core/blob_batches.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { WriterPort } from "../../core/chunk_store.ts";
import { digestBytes, digestOf, EMPTY_DIGEST } from "../../core/digest.ts";
import type { Digest } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import type { DataRecord } from "../../core/record.ts";
import { readOneChunk } from "./read_blob.ts";
import type { ReadWorld } from "./blob_reader.ts";

/** Checks the blobs, then stores and links them in one commit. */
export async function putBatch(
  blobs: readonly SmallBlob[],
  options: SignalOptions & { readonly port: WriterPort; readonly namespace: string },
): Promise<void> {
  throwIfAborted(options.signal);
  checkBatch(blobs.map(({ bytes }) => bytes.length));
  const records = new Map<Digest, DataRecord>();
  for (const { digest, bytes } of blobs) {
    const found = digestOf(bytes);
    if (found !== digest) {
      throw new CacheError(
        "invalid_argument",
        `Cannot store the blob: its bytes have digest "${found}", want "${digest}"`,
        { operation: "cas.put_batch" },
      );
    }
    if (digest === EMPTY_DIGEST || records.has(digest)) continue;
    // The writer keeps it, maybe on another thread, but these bytes are their maker's.
    records.set(digest, { kind: "chunk", id: chunkIdOf(digestBytes(digest)), body: bytes.slice() });
  }
  if (records.size === 0) return;
  const { namespace, port } = options;
  const link = [...records].map(([digest, { body }]) => ({
    namespace,
    blob: { digest, size: body.length },
  }));
  await port.commit({ records: [...records.values()], link });
}

/** Reads those of the blobs, all visible and of these sizes, whose bytes are here. */
export async function getBatch(
  refs: readonly BlobRef[],
  options: SignalOptions & { readonly world: ReadWorld },
): Promise<SmallBlob[]> {
  const found: SmallBlob[] = [];
  for (const ref of refs) {
    throwIfAborted(options.signal);
    const { digest, size } = ref;
    const bytes = size === 0 ? new Uint8Array(0) : await readOneChunk(options.world, ref, options);
    if (bytes) found.push({ digest, bytes });
  }
  return found;
}
