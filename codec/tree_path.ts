/**
 * Which paths and links a tree may hold: what every file system takes, names one place, and lies
 * below the tree's own root.
 */
import { MAX_TREE_DEPTH, MAX_TREE_NAME_BYTES, MAX_TREE_PATH_BYTES } from "../core/limits.ts";

const utf8 = new TextEncoder();

/** What nearly all paths are made of: one look instead of one at each name. */
const PLAIN_PATH = /^[\w@+-][\w@+.-]{0,254}(?:\/[\w@+-][\w@+.-]{0,254}){0,127}$/;

/** Why this can not be the path of a tree's entry, `undefined` if it can: words behind "its path". */
export function problemOfPath(path: string): string | undefined {
  if (path.length <= MAX_TREE_PATH_BYTES && PLAIN_PATH.test(path)) return undefined;
  if (path === "") return "is empty";
  if (path.startsWith("/")) return "is absolute";
  if (path.includes("\0")) return "has a NUL";
  if (!path.isWellFormed()) return "is no UTF-8";
  if (byteLength(path) > MAX_TREE_PATH_BYTES) {
    return `has more than ${MAX_TREE_PATH_BYTES} bytes`;
  }
  const names = path.split("/");
  if (names.length > MAX_TREE_DEPTH) return `is more than ${MAX_TREE_DEPTH} folders deep`;
  for (const name of names) {
    const problem = problemOfName(name);
    if (problem) return problem;
  }
  return undefined;
}

function problemOfName(name: string): string | undefined {
  if (name === "") return "has an empty part";
  if (name === "." || name === "..") return `has a part "${name}"`;
  if (byteLength(name) > MAX_TREE_NAME_BYTES) {
    return `has a part of more than ${MAX_TREE_NAME_BYTES} bytes`;
  }
  if (isGitName(name)) return `has a part "${name}", which git would take for its own`;
  return undefined;
}

/** Default-ignorable code points, which some file systems leave out when they compare names. */
const IGNORED = /\p{Default_Ignorable_Code_Point}/gu;

/**
 * Whether git would take it for its own folder, on whatever file system: `.git` in any case, its
 * short name on Windows, with dots and blanks behind it that Windows drops, or a stream of it.
 */
export function isGitName(name: string): boolean {
  if (name.length < 4) return false;
  const first = name.charCodeAt(0);
  // Nearly all names end here: a dot, a `g`, or something that may be ignored in front of them.
  if (first !== 0x2e && first !== 0x67 && first !== 0x47 && first < 0x80) return false;
  const plain = foldName(name.replace(IGNORED, "")).replace(/:.*$/s, "").replace(/[. ]+$/, "");
  return plain === ".git" || plain === "git~1";
}

/** A name as a file system without case, in one normal form, would compare it. */
export function foldName(name: string): string {
  if (ASCII.test(name)) return name.toLowerCase();
  // Upper case first: "ß" and "SS" are one name, as in full case folding.
  return name.toUpperCase().toLowerCase().normalize("NFC");
}

// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/** Why this can not be the target of a link at all, `undefined` if it can. */
export function problemOfTarget(target: string): string | undefined {
  if (target === "") return "is empty";
  if (target.includes("\0")) return "has a NUL";
  if (!target.isWellFormed()) return "is no UTF-8";
  if (byteLength(target) > MAX_TREE_PATH_BYTES) {
    return `has more than ${MAX_TREE_PATH_BYTES} bytes`;
  }
  return undefined;
}

/**
 * Whether a link at `path` may lead out of the tree's root. Going up is fine in front only: the
 * folders above a link are no links themselves, but what a name behind them leads to may be one,
 * and `..` would then start from somewhere else.
 */
export function linkEscapes(path: string, target: string): boolean {
  if (target.startsWith("/")) return true;
  let above = path.split("/").length - 1;
  let down = false;
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") down = true;
    else if (down || --above < 0) return true;
  }
  return false;
}

function byteLength(text: string): number {
  // Three bytes a code unit is the most that UTF-8 needs.
  return text.length * 3 <= MAX_TREE_NAME_BYTES ? text.length : utf8.encode(text).length;
}
