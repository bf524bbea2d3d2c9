/** Looks for a saved tree: under its key, else the newest whose key begins as somebody says. */
import { decodeTree } from "../../codec/tree_manifest.ts";
import type { TreeEntry } from "../../codec/tree_manifest.ts";
import { bodyBytes } from "../../core/bytes.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Cache, EntryLookup } from "../../core/cache.ts";
import type { Entry } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_TREE_MANIFEST_BYTES } from "../../core/limits.ts";

/** A tree that was found. */
export interface FoundTree {
  /** `exact`: under the key itself; `fallback`: under one that begins with a prefix. */
  readonly hit: "exact" | "fallback";
  readonly entry: Entry;
  readonly entries: readonly TreeEntry[];
}

/** Options of {@linkcode findTree}. */
export interface FindTreeOptions extends SignalOptions {
  /** Tried in this order after the key; of each the entry that was written last. Default: none. */
  readonly fallbacks?: readonly string[] | undefined;
}

/**
 * The tree under a key, with its list of files checked; `undefined` for a miss.
 * @throws {CacheError} `corrupt` naming what makes the tree one that is refused
 */
export async function findTree(
  cache: Cache,
  lookup: EntryLookup,
  options: FindTreeOptions = {},
): Promise<FoundTree | undefined> {
  const { signal, fallbacks = [] } = options;
  const exact = await cache.find({ ...lookup, bodyOnly: true }, { signal });
  const entries = exact && await readTree(cache, exact, { signal });
  if (entries) return { hit: "exact", entry: exact, entries };
  const { namespace, scopes, protocol } = lookup;
  for (const prefix of fallbacks) {
    const newest = cache.scan({
      namespace,
      scopes,
      protocol,
      prefix,
      order: "newest",
      bodyOnly: true,
      limit: 1,
      signal,
    });
    for await (const item of newest) {
      if (item.type !== "entry") continue;
      const entries = await readTree(cache, item.entry, { signal });
      if (entries) return { hit: "fallback", entry: item.entry, entries };
    }
  }
  return undefined;
}

/**
 * The list of files of an entry, `undefined` if it was lost meanwhile.
 * @throws {CacheError} `corrupt` for an entry or a list that is refused
 */
export async function readTree(
  cache: Cache,
  entry: Entry,
  options: SignalOptions = {},
): Promise<TreeEntry[] | undefined> {
  const size = entry.blobs[0]?.size ?? 0;
  if (entry.content !== "tree" || size > MAX_TREE_MANIFEST_BYTES) {
    throw new CacheError("corrupt", `Cannot use "${entry.key}": it is no tree, want one`, {
      operation: "tree.find",
      hint: "get fetches what put stored; restore what save stored",
    });
  }
  const body = await cache.body(entry, options);
  return body && decodeTree(await bodyBytes(body, MAX_TREE_MANIFEST_BYTES));
}
