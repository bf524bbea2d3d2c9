/** What the cases of the blob store suite ask again and again. */
import assert from "node:assert/strict";
import { Chunker } from "../../codec/chunk_stream.ts";
import { bytesSource, collect, streamSource } from "../../core/bytes.ts";
import type { ByteRange, ByteSource } from "../../core/bytes.ts";
import type { BlobStore } from "../../core/blob_store.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { assertSame } from "./object_store_asks.ts";

export const KIB = 1024;
export const MIB = 1024 * 1024;

/** Bytes that do not compress, repeat nowhere and differ with their seed (Marsaglia's xorshift32). */
export function noise(size: number, seed = 1): Bytes {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, size).slice();
}

/** Makes a source of these bytes in one of its forms. */
export type SourceForm = (bytes: Bytes) => ByteSource;

/** The forms that every store is given. */
export const FORMS: Readonly<Record<string, SourceForm>> = {
  "bytes": (bytes) => bytesSource(bytes),
  "sized stream": (bytes) => streamSource(inParts(bytes), bytes.length),
  "unsized stream": (bytes) => ({
    size: undefined,
    replayable: true,
    open: () => inParts(bytes),
  }),
};

/** Cut so that neither chunk nor slice borders fall together, with an empty part in between. */
export function inParts(bytes: Bytes, sizes = [1, 0, 7, 4096, 65_537, 200_003]) {
  let offset = 0;
  let turn = 0;
  return new ReadableStream<Bytes>({
    pull(controller) {
      if (offset >= bytes.length) return controller.close();
      const size = sizes[turn++ % sizes.length]!;
      controller.enqueue(bytes.slice(offset, offset + size));
      offset += size;
    },
  }, { highWaterMark: 0 });
}

/** The bytes of a blob, or of a range of it; `undefined` for a miss. */
export async function read(
  store: BlobStore,
  digest: Digest,
  range?: ByteRange,
): Promise<Bytes | undefined> {
  const body = await store.get(digest, { range });
  if (!body) return undefined;
  const bytes = body.bytes ?? await collect(body.stream(), body.size + 1);
  assert.equal(bytes.length, body.size, "length of the body");
  return bytes;
}

/** Fails unless the blob is here with these bytes, in every way it can be asked for. */
export async function assertHolds(store: BlobStore, want: Bytes): Promise<void> {
  const digest = digestOf(want);
  assert.deepEqual(await store.stat([digest]), [{ digest, size: want.length }]);
  assertSame(await read(store, digest), want, `blob of ${want.length} bytes`);
}

/** Fails unless the blob can not be found, in any way. */
export async function assertMissing(store: BlobStore, bytes: Bytes, lists = true): Promise<void> {
  const digest = digestOf(bytes);
  assert.equal(await store.get(digest), undefined);
  assert.deepEqual(await store.stat([digest]), [undefined]);
  if (!lists) return;
  assert.ok(!(await listed(store)).some((blob) => blob.digest === digest), "it is listed");
}

/** All that is listed. */
export async function listed(store: BlobStore, after?: Digest): Promise<BlobRef[]> {
  return await Array.fromAsync(store.list({ after }));
}

/** Offsets at which the default chunker cuts, 0 and the size among them. */
export function cutsOf(bytes: Bytes): number[] {
  const chunker = new Chunker();
  const cuts = [0];
  for (const chunk of [...chunker.push(bytes), ...chunker.flush()]) {
    cuts.push(cuts.at(-1)! + chunk.length);
  }
  return cuts;
}
