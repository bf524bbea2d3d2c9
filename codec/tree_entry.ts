/** Entries of trees name their manifest and every blob of it, so that a hit is a whole tree. */
import type { BlobStore } from "../core/blob_store.ts";
import { bodyBytes } from "../core/bytes.ts";
import type { SignalOptions } from "../core/bytes.ts";
import type { EntryDraft } from "../core/entry.ts";
import { CacheError, isKind } from "../core/errors.ts";
import { MAX_TREE_MANIFEST_BYTES } from "../core/limits.ts";
import { treeBlobs } from "./tree_check.ts";
import { decodeTree } from "./tree_manifest.ts";

/**
 * The draft of a tree, with the blobs that its manifest lists behind those that it names already;
 * any other draft as it is. The store itself reads the list: what a writer says may leave one out.
 * @throws {CacheError} `invalid_argument` for a manifest that is refused, `precondition_failed`
 * when it is not here
 */
export async function withTreeBlobs(
  draft: EntryDraft,
  blobs: Pick<BlobStore, "get">,
  options?: SignalOptions,
): Promise<EntryDraft> {
  if (draft.content !== "tree") return draft;
  const [manifest] = draft.blobs;
  if (!manifest || manifest.size > MAX_TREE_MANIFEST_BYTES) {
    throw refused(draft, `its manifest has ${manifest?.size ?? 0} bytes`);
  }
  const body = await blobs.get(manifest.digest, options);
  if (!body) {
    throw new CacheError(
      "precondition_failed",
      `Cannot put "${draft.key}": its blob ${manifest.digest} is not here`,
      { operation: "tree.entry", hint: "upload the blobs first" },
    );
  }
  const bytes = await bodyBytes(body, MAX_TREE_MANIFEST_BYTES);
  try {
    const named = new Set(draft.blobs.map(({ digest }) => digest));
    const more = treeBlobs(decodeTree(bytes)).filter(({ digest }) => !named.has(digest));
    return { ...draft, blobs: [...draft.blobs, ...more] };
  } catch (thrown) {
    if (!isKind(thrown, "corrupt") && !isKind(thrown, "unsupported")) throw thrown;
    throw refused(draft, thrown.message, thrown);
  }
}

function refused({ key }: EntryDraft, state: string, cause?: CacheError): CacheError {
  return new CacheError("invalid_argument", `Cannot put "${key}": ${state}`, {
    operation: "tree.entry",
    cause,
  });
}
