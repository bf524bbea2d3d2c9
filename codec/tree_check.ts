/** What holds for the entries of a tree as a whole, whoever made it. */
import { EMPTY_DIGEST } from "../core/digest.ts";
import type { Digest } from "../core/digest.ts";
import type { BlobRef } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_ENTRY_BLOBS, MAX_TREE_BYTES, MAX_TREE_ENTRIES } from "../core/limits.ts";
import { compareText } from "../core/text_order.ts";
import { foldName, problemOfPath, problemOfTarget } from "./tree_path.ts";

/** A file of a tree. */
export interface TreeFile {
  readonly type: "file";
  /** From the root, parts divided by `/`. */
  readonly path: string;
  /** Permission bits, 0 to 0o777. */
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  readonly digest: Digest;
}

/** A folder; those that only stand above other entries need not be listed. */
export interface TreeFolder {
  readonly type: "folder";
  readonly path: string;
  readonly mode: number;
}

/** A symbolic link, its target word for word. */
export interface TreeLink {
  readonly type: "link";
  readonly path: string;
  readonly target: string;
}

/** One thing in a tree. */
export type TreeEntry = TreeFile | TreeFolder | TreeLink;

/** The error of a tree that is refused. */
export function refusedTree(state: string): CacheError {
  return new CacheError("corrupt", `Cannot use the tree: ${state}`, { operation: "tree.check" });
}

/** The error of one entry of it. */
export function refusedEntry(path: string, state: string): CacheError {
  return refusedTree(`"${path.slice(0, 200)}" ${state}`);
}

/**
 * Checks paths, order, parents, modes, sizes and limits.
 * @throws {CacheError} `corrupt` naming the first entry that is not as it should be
 */
export function checkTree(entries: readonly TreeEntry[]): void {
  if (entries.length > MAX_TREE_ENTRIES) {
    throw refusedTree(`it has ${entries.length} entries, want at most ${MAX_TREE_ENTRIES}`);
  }
  const names = new Names();
  let bytes = 0;
  let before: string | undefined;
  for (const entry of entries) {
    const problem = problemOfPath(entry.path);
    if (problem) throw refusedEntry(entry.path, `is refused: its path ${problem}`);
    if (before !== undefined && compareText(before, entry.path) >= 0) {
      const state = before === entry.path ? "is listed twice" : "is not in its place";
      throw refusedEntry(entry.path, state);
    }
    before = entry.path;
    checkFacts(entry);
    names.add(entry);
    if (entry.type === "file") bytes += entry.size;
    if (bytes > MAX_TREE_BYTES) {
      throw refusedTree(`its files have more than ${MAX_TREE_BYTES} bytes together`);
    }
  }
}

/**
 * The blobs that a tree needs, each once, in the order of its entries. The empty one needs none.
 * @throws {CacheError} `corrupt` for a digest with two sizes, or more blobs than one entry names
 */
export function treeBlobs(entries: readonly TreeEntry[]): BlobRef[] {
  const sizes = new Map<Digest, number>();
  for (const entry of entries) {
    if (entry.type !== "file" || entry.size === 0) continue;
    const known = sizes.get(entry.digest);
    if (known === undefined) sizes.set(entry.digest, entry.size);
    else if (known !== entry.size) throw refusedEntry(entry.path, "has another size elsewhere");
  }
  // One more is the manifest itself.
  if (sizes.size >= MAX_ENTRY_BLOBS) {
    throw refusedTree(`it has ${sizes.size} different files, want less than ${MAX_ENTRY_BLOBS}`);
  }
  return [...sizes].map(([digest, size]) => ({ digest, size }));
}

function checkFacts(entry: TreeEntry): void {
  if (entry.type === "link") {
    const problem = problemOfTarget(entry.target);
    if (problem) throw refusedEntry(entry.path, `is refused: its target ${problem}`);
    return;
  }
  const { mode } = entry;
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
    throw refusedEntry(entry.path, "has a mode that is none");
  }
  if (mode > 0o777) {
    const bit = mode & 0o4000 ? "setuid" : mode & 0o2000 ? "setgid" : "sticky";
    throw refusedEntry(entry.path, `is refused: its mode has the ${bit} bit`);
  }
  if (entry.type === "file" && (entry.size === 0) !== (entry.digest === EMPTY_DIGEST)) {
    throw refusedEntry(entry.path, "has a size that its digest can not have");
  }
}

/** What stands under a name in a folder. */
interface Held {
  readonly name: string;
  /** What is listed and is no folder can hold nothing. */
  readonly leaf: "file" | "link" | undefined;
}

/** Sees to it that no two entries are one place, on any file system. */
class Names {
  /** Of each folder, by its path: what is in it, by folded names. */
  readonly #folders = new Map<string, Map<string, Held>>([["", new Map()]]);
  /** The last parent: entries of one folder mostly follow each other. */
  #parent = "";
  #inParent: Map<string, Held> = this.#folders.get("")!;

  add({ path, type }: TreeEntry): void {
    const slash = path.lastIndexOf("/");
    const parent = slash < 0 ? "" : path.slice(0, slash);
    if (parent !== this.#parent) {
      this.#inParent = this.#enter(parent, path);
      this.#parent = parent;
    }
    const leaf = type === "folder" ? undefined : type;
    claim(this.#inParent, { name: path.slice(slash + 1), leaf }, path);
  }

  /** Claims every folder on the way; tells what is in the last. */
  #enter(parent: string, path: string): Map<string, Held> {
    const known = this.#folders.get(parent);
    if (known) return known;
    const slash = parent.lastIndexOf("/");
    const above = this.#enter(slash < 0 ? "" : parent.slice(0, slash), path);
    const held = claim(above, { name: parent.slice(slash + 1), leaf: undefined }, path);
    if (held.leaf) {
      throw refusedEntry(path, `is refused: it stands below "${parent}", which is a ${held.leaf}`);
    }
    const inside = new Map<string, Held>();
    this.#folders.set(parent, inside);
    return inside;
  }
}

function claim(folder: Map<string, Held>, wanted: Held, path: string): Held {
  const folded = foldName(wanted.name);
  const held = folder.get(folded);
  if (!held) {
    folder.set(folded, wanted);
    return wanted;
  }
  if (held.name === wanted.name) return held;
  throw refusedEntry(
    path,
    `is refused: where case or normal form does not count "${wanted.name}" is "${held.name}"`,
  );
}
