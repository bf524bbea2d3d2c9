/** Stores what lies at some paths as a tree: files as blobs, a manifest, an entry. */
import { encodeTree } from "../../codec/tree_manifest.ts";
import type { TreeEntry, TreeFile } from "../../codec/tree_manifest.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Cache } from "../../core/cache.ts";
import type { Clock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import type { BlobRef, Entry, EntryDraft } from "../../core/entry.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { scanTree } from "./scan_tree.ts";
import type { ScannedTree } from "./scan_tree.ts";
import { StatCache } from "./stat_cache.ts";
import type { StatCacheOptions } from "./stat_cache.ts";
import type { TreePlace } from "./tree_place.ts";
import { TreeUpload } from "./tree_upload.ts";

/** Protocol of the entries of `save`. */
export const TREE_PROTOCOL = "tree";

/** Options of {@linkcode saveTree}. */
export interface SaveTreeOptions extends SignalOptions {
  /** Folder of the stat caches; `undefined`: every file is read. */
  readonly statFolder: string | undefined;
  /** As {@linkcode StatCacheOptions}. */
  readonly onNotKept?: StatCacheOptions["onNotKept"];
  readonly clock: Clock;
  /** Takes links that lead out of the tree too. Default false. */
  readonly outsideLinks?: boolean | undefined;
  /** Told of bytes of files that are done: read, and sent where they were missing. */
  readonly onDone?: ((bytes: number) => void) | undefined;
}

/** What {@linkcode saveTree} did. */
export interface SavedTree {
  /** `taken`: an entry stands there already, and it was left alone. */
  readonly outcome: "saved" | "taken";
  /** The new entry, or the one that stands there if that was seen. */
  readonly entry: Entry | undefined;
  /** The list of files; of a taken key only if that was found out at the very end. */
  readonly manifest: BlobRef | undefined;
  /** Files of the tree, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Files whose contents were read. */
  readonly filesRead: number;
  /** Bytes of contents that were sent, the manifest's included. */
  readonly bytesSent: number;
}

/** As {@linkcode scanTree}, with the stat caches of these options. */
export function scanPlaces(
  places: readonly TreePlace[],
  { statFolder: folder, clock, outsideLinks, onNotKept }: SaveTreeOptions,
): ScannedTree {
  return scanTree(places, {
    outsideLinks,
    statCache: (root) => StatCache.open(root, { folder, clock, onNotKept }),
  });
}

/** Bytes of all files. */
export function bytesOf(scanned: ScannedTree): number {
  return scanned.files.reduce((sum, file) => sum + file.stat.size, 0);
}

/**
 * Captures what lies at these places and stores it under the draft's key. The draft's own blobs
 * are further ones that the entry is to name behind the manifest. Files that the stat cache knows
 * are not read, blobs that the cache has are not sent, and links are kept as they are.
 * @throws {CacheError} `invalid_argument` for what no tree may hold, `conflict` for a file that
 * keeps changing, and what the cache throws; nothing is then stored under the key
 */
export async function saveTree(
  cache: Cache,
  draft: EntryDraft,
  places: readonly TreePlace[],
  options: SaveTreeOptions,
): Promise<SavedTree> {
  const { signal } = options;
  const lookup = { ...draft, scopes: [draft.scope], bodyOnly: true };
  const standing = await cache.find(lookup, { signal });
  if (standing) return taken(standing);
  return await saveScanned(cache, draft, scanPlaces(places, options), options);
}

/** As {@linkcode saveTree}, for what was found at the places, without asking for the key first. */
export async function saveScanned(
  cache: Cache,
  draft: EntryDraft,
  scanned: ScannedTree,
  options: SaveTreeOptions,
): Promise<SavedTree> {
  const { signal } = options;
  const { namespace } = draft;
  const upload = new TreeUpload(cache.blobs(namespace), options);
  let files: TreeFile[];
  try {
    files = await upload.files(scanned.files);
  } finally {
    // What was read stays known, whatever becomes of the entry.
    for (const statCache of scanned.caches) statCache.save();
  }
  const entries: TreeEntry[] = [...files, ...scanned.others];
  const bytes = manifestOf(entries);
  const manifest = { digest: digestOf(bytes), size: bytes.length };
  await upload.manifest(manifest, bytes);
  const facts = {
    manifest,
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
  };
  const linked = { ...draft, content: "tree" as const, blobs: [manifest, ...draft.blobs] };
  try {
    const { entry } = await linkOrSend();
    return { outcome: "saved", entry, ...facts, ...upload.figures() };
  } catch (thrown) {
    // Somebody else was faster.
    if (!isKind(thrown, "conflict") || thrown.operation === "tree.read") throw thrown;
    return { ...taken(undefined), ...facts, ...upload.figures() };
  }

  /** Blobs that were never asked for are believed to be there until the cache says otherwise. */
  async function linkOrSend() {
    try {
      return await cache.link(linked, { signal });
    } catch (thrown) {
      if (!isKind(thrown, "precondition_failed")) throw thrown;
      await upload.missing(scanned.files);
      await upload.manifest(manifest, bytes);
      return await cache.link(linked, { signal });
    }
  }
}

/** What is wrong with a tree is here the caller's to change. */
function manifestOf(entries: readonly TreeEntry[]): Bytes {
  try {
    return encodeTree(entries);
  } catch (thrown) {
    if (!isKind(thrown, "corrupt")) throw thrown;
    throw new CacheError("invalid_argument", thrown.message, {
      operation: "tree.save",
      cause: thrown,
    });
  }
}

function taken(entry: Entry | undefined): SavedTree {
  const nothing = { manifest: undefined, files: 0, bytes: 0, filesRead: 0, bytesSent: 0 };
  return { outcome: "taken", entry, ...nothing };
}
