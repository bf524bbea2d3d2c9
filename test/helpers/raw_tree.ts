/** Manifests of trees that no honest writer makes: the bytes, with nothing checked. */
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestBytes, digestOf, EMPTY_DIGEST } from "../../core/digest.ts";
import type { TreeEntry, TreeFile } from "../../codec/tree_manifest.ts";

/** The manifest of these entries in the order given, however wrong they are. */
export function rawTree(entries: readonly TreeEntry[], count = entries.length): Bytes {
  const head = new Uint8Array(12);
  head.set(new TextEncoder().encode("VTRE\x01"));
  new DataView(head.buffer).setUint32(8, count, true);
  return concat([head, ...entries.map(rawEntry)]);
}

function rawEntry(entry: TreeEntry): Bytes {
  const utf8 = new TextEncoder();
  const path = utf8.encode(entry.path);
  const start = new Uint8Array(5);
  const view = new DataView(start.buffer);
  view.setUint8(0, { file: 1, folder: 2, link: 3 }[entry.type]);
  view.setUint16(1, entry.type === "link" ? 0 : entry.mode, true);
  view.setUint16(3, path.length, true);
  if (entry.type === "folder") return concat([start, path]);
  if (entry.type === "file") {
    const size = new Uint8Array(8);
    new DataView(size.buffer).setBigUint64(0, BigInt(entry.size), true);
    return concat([start, path, size, digestBytes(entry.digest)]);
  }
  const target = utf8.encode(entry.target);
  const length = new Uint8Array(2);
  new DataView(length.buffer).setUint16(0, target.length, true);
  return concat([start, path, length, target]);
}

/** A file with this text. */
export function treeFile(path: string, text = "", mode = 0o644): TreeFile {
  const bytes = new TextEncoder().encode(text);
  const digest = text === "" ? EMPTY_DIGEST : digestOf(bytes);
  return { type: "file", path, mode, size: bytes.length, digest };
}

/** A folder. */
export function treeFolder(path: string, mode = 0o755): TreeEntry {
  return { type: "folder", path, mode };
}

/** A link. */
export function treeLink(path: string, target: string): TreeEntry {
  return { type: "link", path, target };
}

/** A hostile tree and the words that refuse it. */
export interface HostileTree {
  readonly entries: readonly TreeEntry[];
  readonly refusal: RegExp;
}

const deep = (depth: number) => Array.from({ length: depth }, () => "d").join("/");

/** Trees that must be refused by whoever reads them, by what is wrong with each. */
export const HOSTILE_TREES: Readonly<Record<string, HostileTree>> = {
  "an absolute path": { entries: [treeFile("/etc/passwd")], refusal: /path is absolute/ },
  "a path with ..": { entries: [treeFile("a/../../x")], refusal: /path has a part "\.\."/ },
  "a path that is ..": { entries: [treeFile("..")], refusal: /path has a part "\.\."/ },
  "a path with .": { entries: [treeFile("a/./x")], refusal: /path has a part "\."/ },
  "a path with an empty part": { entries: [treeFile("a//x")], refusal: /an empty part/ },
  "a path with a slash at its end": { entries: [treeFile("a/")], refusal: /an empty part/ },
  "an empty path": { entries: [treeFile("")], refusal: /path is empty/ },
  "a path with NUL": { entries: [treeFile("a\0b")], refusal: /path has a NUL/ },
  "a path of 5,000 bytes": {
    entries: [treeFile(Array.from({ length: 50 }, () => "x".repeat(99)).join("/"))],
    refusal: /more than 4095 bytes/,
  },
  "a name of 300 bytes": { entries: [treeFile("x".repeat(300))], refusal: /more than 255 bytes/ },
  "folders 129 deep": { entries: [treeFile(deep(129))], refusal: /more than 128 folders deep/ },
  "a setuid file": { entries: [treeFile("su", "x", 0o4755)], refusal: /the setuid bit/ },
  "a setgid file": { entries: [treeFile("sg", "x", 0o2755)], refusal: /the setgid bit/ },
  "a sticky folder": { entries: [treeFolder("t", 0o1777)], refusal: /the sticky bit/ },
  ".git": { entries: [treeFile(".git/hooks/pre-commit", "x", 0o755)], refusal: /git would take/ },
  ".GIT": { entries: [treeFile("sub/.GIT/config", "x")], refusal: /git would take/ },
  ".git with what some file systems ignore": {
    entries: [treeFile(".g\u200cit/config", "x")],
    refusal: /git would take/,
  },
  ".git with a dot behind it": { entries: [treeFile(".git./config")], refusal: /git would take/ },
  "git~1": { entries: [treeFile("GIT~1/config")], refusal: /git would take/ },
  "names that differ in case": {
    entries: [treeFile("A"), treeFile("a")],
    refusal: /where case or normal form does not count "a" is "A"/,
  },
  "folders that differ in case": {
    entries: [treeFile("Lib/x"), treeFile("lib/y")],
    refusal: /where case or normal form does not count/,
  },
  "names that differ in how ß is written": {
    entries: [treeFile("strasse"), treeFile("straße")],
    refusal: /where case or normal form does not count/,
  },
  "names that differ in normal form": {
    entries: [treeFile("cafe\u0301"), treeFile("caf\u00e9")],
    refusal: /where case or normal form does not count/,
  },
  "a child below a link": {
    entries: [treeLink("a", "/etc"), treeFile("a/passwd")],
    refusal: /stands below "a", which is a link/,
  },
  "a child below a file": {
    entries: [treeFile("a", "x"), treeFile("a/b")],
    refusal: /stands below "a", which is a file/,
  },
  "a child far below a link": {
    entries: [treeLink("a", ".."), treeFile("a/b/c/d")],
    refusal: /stands below "a", which is a link/,
  },
  "one path twice": { entries: [treeFile("a"), treeFile("a")], refusal: /listed twice/ },
  "paths out of order": { entries: [treeFile("b"), treeFile("a")], refusal: /not in its place/ },
  "an empty link": { entries: [treeLink("a", "")], refusal: /target is empty/ },
  "a link with NUL": { entries: [treeLink("a", "b\0c")], refusal: /target has a NUL/ },
  "a size that its digest can not have": {
    entries: [{ ...treeFile("a"), size: 5 }],
    refusal: /a size that its digest can not have/,
  },
  "more bytes than any tree may have": {
    entries: Array.from({ length: 11 }, (_, n) => ({
      ...treeFile(`f${String(n).padStart(2, "0")}`, "x"),
      size: 10 * 1024 ** 3,
    })),
    refusal: /more than 107374182400 bytes/,
  },
};

/** Trees that are refused because of where their links lead. */
export const ESCAPING_LINKS: Readonly<Record<string, readonly TreeEntry[]>> = {
  "a link to an absolute path": [treeLink("passwd", "/etc/passwd")],
  "a link that leads out of the tree": [treeLink("bin/x", "../../x")],
  "a link that leads out by way of another": [
    treeLink("p/q/e", "r/../../x"),
    treeLink("p/q/r", "../.."),
  ],
};
