/** Blobs as a round speaks of them. */
import { blobKind } from "../../codec/clear_part.ts";
import type { BlobRow } from "../../codec/clear_part.ts";
import { chunkIdOf } from "../../codec/entry_id.ts";
import { digestBytes } from "../../core/digest.ts";
import type { Digest } from "../../core/digest.ts";
import type { BlobRef, EntryFacts } from "../../core/entry.ts";
import type { KnownBlobsWriter } from "../../core/known_blobs.ts";

/** The digest of an entry's body. */
export function bodyOf({ blobs }: EntryFacts): Digest | undefined {
  return blobs[0]?.digest;
}

/** A blob as records and tables name it. */
export function blobRow({ digest, size }: BlobRef): BlobRow {
  return { kind: blobKind(size), id: chunkIdOf(digestBytes(digest)), size };
}

/** Whether certainly no namespace sees any of these: most blobs that are written are new. */
export function isNewToAll(
  known: KnownBlobsWriter | undefined,
  digests: readonly Digest[],
): boolean {
  if (!known) return false;
  return digests.every((digest) => known.isUnseen(chunkIdOf(digestBytes(digest))));
}

/** Adds a blob to those of its namespace. */
export function gather(map: Map<string, BlobRef[]>, namespace: string, blob: BlobRef): void {
  const blobs = map.get(namespace);
  if (blobs) blobs.push(blob);
  else map.set(namespace, [blob]);
}

/** A blob in a namespace, as a name. */
export function visibleName(namespace: string, digest: Digest): string {
  return `${namespace} ${digest}`; // neither holds a space
}
