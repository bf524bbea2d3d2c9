/**
 * The manifest of a tree: its list of files, folders and links. Little-endian; the same tree is
 * the same bytes, so that the digest of a manifest names the tree.
 *
 * ```
 *  0  4  magic "VTRE"
 *  4  1  version, 1
 *  5  3  reserved, 0
 *  8  4  number of entries
 * 12     entries, in the order of their paths' bytes
 *
 * entry
 *  0  1  type: 1 file, 2 folder, 3 link
 *  1  2  permission bits, at most 0o777; of a link 0
 *  3  2  bytes of the path
 *  5     path, UTF-8
 *        file: size u64, SHA-256 32 bytes
 *        link: bytes of the target u16, target, UTF-8
 * ```
 */
import type { Bytes } from "../core/digest.ts";
import { digestBytes, digestFromBytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_TREE_ENTRIES, MAX_TREE_MANIFEST_BYTES } from "../core/limits.ts";
import { compareText } from "../core/text_order.ts";
import { safeAt, setSafe } from "./segment.ts";
import { checkTree, refusedTree } from "./tree_check.ts";
import type { TreeEntry } from "./tree_check.ts";

/** The version of manifests that this program reads and writes. */
export const TREE_VERSION = 1;

const MAGIC = 0x45525456; // "VTRE"
const HEADER_BYTES = 12;
const TYPES = ["", "file", "folder", "link"] as const;
/** Bytes that every entry has: head, a path of one byte, a target's length at least or nothing. */
const LEAST_ENTRY_BYTES = 6;
const FILE_BYTES = 40;

/**
 * The manifest of these entries, in whatever order they come.
 * @throws {CacheError} `corrupt` for a tree that no reader would take, naming the entry
 */
export function encodeTree(entries: readonly TreeEntry[]): Bytes {
  const sorted = entries.toSorted(orderOf(entries));
  checkTree(sorted);
  const utf8 = new TextEncoder();
  // Three bytes a code unit is the most that UTF-8 needs; what is too much is cut off at the end.
  const most = sorted.reduce((sum, entry) => {
    const rest = entry.type === "file" ? FILE_BYTES : 2;
    return sum + 5 + rest +
      3 * (entry.path.length + (entry.type === "link" ? entry.target.length : 0));
  }, HEADER_BYTES);
  const bytes = new Uint8Array(most);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, TREE_VERSION);
  view.setUint32(8, sorted.length, true);
  let at = HEADER_BYTES;
  for (const entry of sorted) {
    view.setUint8(at, TYPES.indexOf(entry.type));
    view.setUint16(at + 1, entry.type === "link" ? 0 : entry.mode, true);
    at = writeText(entry.path, at + 3);
    if (entry.type === "file") {
      setSafe(view, at, entry.size);
      bytes.set(digestBytes(entry.digest), at + 8);
      at += FILE_BYTES;
    } else if (entry.type === "link") {
      at = writeText(entry.target, at);
    }
  }
  if (at > MAX_TREE_MANIFEST_BYTES) throw tooLong(at);
  return bytes.slice(0, at);

  /** Writes a length and a text; tells where the next thing goes. */
  function writeText(text: string, to: number): number {
    const { written } = utf8.encodeInto(text, bytes.subarray(to + 2));
    view.setUint16(to, written, true);
    return to + 2 + written;
  }
}

/** The order of UTF-8 bytes; JavaScript's own is the same, and faster, where nothing is above U+FFFF. */
function orderOf(entries: readonly TreeEntry[]): (a: TreeEntry, b: TreeEntry) => number {
  if (entries.some(({ path }) => SURROGATE.test(path))) {
    return (a, b) => compareText(a.path, b.path);
  }
  return (a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

const SURROGATE = /[\ud800-\udfff]/;

/**
 * Reads a manifest, and takes nothing that {@linkcode encodeTree} would not make.
 * @throws {CacheError} `corrupt`; `unsupported` for a newer version
 */
export function decodeTree(bytes: Uint8Array): TreeEntry[] {
  const entries = new Reader(bytes).entries();
  checkTree(entries);
  return entries;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #at = HEADER_BYTES;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  entries(): TreeEntry[] {
    const { length } = this.#bytes;
    if (length > MAX_TREE_MANIFEST_BYTES) throw tooLong(length);
    if (length < HEADER_BYTES || this.#view.getUint32(0, true) !== MAGIC) {
      throw refusedTree("it is no manifest");
    }
    const version = this.#view.getUint8(4);
    if (version !== TREE_VERSION) {
      throw new CacheError(
        "unsupported",
        `Cannot use the tree: its manifest has version ${version}, want ${TREE_VERSION}`,
        { operation: "tree.decode", hint: "a newer vitte-remote-cache wrote it" },
      );
    }
    if ((this.#view.getUint32(4, true) >>> 8) !== 0) throw refusedTree("its head is damaged");
    const count = this.#view.getUint32(8, true);
    // Before anything is made of it: a claim costs its maker nothing.
    if (count > MAX_TREE_ENTRIES) {
      throw refusedTree(`it claims ${count} entries, want at most ${MAX_TREE_ENTRIES}`);
    }
    if (count * LEAST_ENTRY_BYTES > length - HEADER_BYTES) {
      throw refusedTree(`it claims ${count} entries in ${length} bytes`);
    }
    const entries: TreeEntry[] = [];
    while (entries.length < count) entries.push(this.#entry());
    if (this.#at !== length) throw refusedTree("something follows its last entry");
    return entries;
  }

  #entry(): TreeEntry {
    const head = this.#take(5);
    const type = TYPES[this.#view.getUint8(head)];
    const mode = this.#view.getUint16(head + 1, true);
    const path = this.#text(this.#view.getUint16(head + 3, true));
    if (type === "folder") return { type, path, mode };
    if (type === "file") {
      const at = this.#take(FILE_BYTES);
      const size = safeAt(this.#view, at);
      if (size === undefined) throw refusedTree("a file has a size that is none");
      return { type, path, mode, size, digest: digestFromBytes(this.#slice(at + 8, 32)) };
    }
    if (type !== "link") {
      const number = this.#view.getUint8(head);
      throw refusedTree(`an entry is of type ${number}, want a file, a folder or a link`);
    }
    if (mode !== 0) throw refusedTree("a link has a mode");
    return { type, path, target: this.#text(this.#view.getUint16(this.#take(2), true)) };
  }

  /** Where the next `count` bytes begin; they are behind us then. */
  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw refusedTree("its end is missing");
    this.#at += count;
    return at;
  }

  #text(length: number): string {
    const at = this.#take(length);
    try {
      return this.#utf8.decode(this.#slice(at, length));
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause;
      throw refusedTree("a text in it is no UTF-8");
    }
  }

  #slice(at: number, length: number): Uint8Array {
    return this.#bytes.subarray(at, at + length);
  }
}

function tooLong(size: number): CacheError {
  return refusedTree(`its manifest has ${size} bytes, want at most ${MAX_TREE_MANIFEST_BYTES}`);
}

export type { TreeEntry, TreeFile, TreeFolder, TreeLink } from "./tree_check.ts";
