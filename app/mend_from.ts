/** Brings back what a store has lost from another one that still has it. */
import type { SignalOptions } from "../core/bytes.ts";
import { throwIfAborted } from "../core/abort.ts";
import { streamSource } from "../core/bytes.ts";
import type { Cache, LostBlob } from "../core/cache.ts";
import { isKind } from "../core/errors.ts";

/** What came back. */
export interface Mended {
  /** Blobs that are whole again. */
  readonly mended: number;
  /** Blobs that the other one does not have, or not right. */
  readonly absent: number;
}

/** Digests asked about at a time. */
const PAGE = 1000;

/**
 * Fetches lost blobs from `peer`, by their digests, and stores them. Both sides check every byte
 * against the digest, so a peer that lies mends nothing. Of a large blob only the chunks that are
 * missing are stored again.
 * @throws {CacheError} when either of them can not be reached; what was mended stays mended
 */
export async function mendFrom(
  peer: Pick<Cache, "blobs">,
  store: Pick<Cache, "blobs">,
  { lost, signal }: SignalOptions & { readonly lost: readonly LostBlob[] },
): Promise<Mended> {
  let mended = 0;
  for (const { namespace, digest, size } of lost) {
    throwIfAborted(signal);
    if (await fetchOne(peer, store, { blob: { namespace, digest, size }, signal })) mended++;
  }
  return { mended, absent: lost.length - mended };
}

/** How many of the lost blobs a peer has; nothing is fetched. */
export async function countAt(
  peer: Pick<Cache, "blobs">,
  { lost, signal }: SignalOptions & { readonly lost: readonly LostBlob[] },
): Promise<Mended> {
  let mended = 0;
  for (const [namespace, blobs] of Map.groupBy(lost, (blob) => blob.namespace)) {
    for (let from = 0; from < blobs.length; from += PAGE) {
      const page = blobs.slice(from, from + PAGE);
      const found = await peer.blobs(namespace).stat(page.map(({ digest }) => digest), { signal });
      mended += page.filter(({ size }, n) => found[n]?.size === size).length;
    }
  }
  return { mended, absent: lost.length - mended };
}

async function fetchOne(
  peer: Pick<Cache, "blobs">,
  store: Pick<Cache, "blobs">,
  { blob, signal }: SignalOptions & { readonly blob: LostBlob },
): Promise<boolean> {
  const { namespace, digest, size } = blob;
  try {
    const body = await peer.blobs(namespace).get(digest, { signal });
    if (!body) return false;
    if (body.size !== size) {
      await body.cancel();
      return false;
    }
    await store.blobs(namespace).put(digest, streamSource(body.stream(), size), { signal });
    return true;
  } catch (thrown) {
    // What came was not what was asked for: for this blob that is as good as nothing.
    if (isKind(thrown, "corrupt") || isKind(thrown, "invalid_argument")) return false;
    throw thrown;
  }
}
