/**
 * One digest over files: their paths, whether they may be run, and their contents. It makes keys,
 * so it must be the same on every machine and for ever.
 *
 * ```
 * SHA-256 of "vitte files 1" and a line feed, then for each file in the order of their paths' bytes
 *   4  bytes of the path, little-endian
 *      path, UTF-8
 *   1  1 file, 2 file that its owner may run, 3 link to a file, 4 link to anything else
 *  32  1, 2, 3: SHA-256 of the contents; 4: of the link's target
 * ```
 */
import { createHash } from "node:crypto";
import { join } from "node:path/posix";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Digest } from "../../core/digest.ts";
import { digestBytes, digestOf } from "../../core/digest.ts";
import { compareText } from "../../core/text_order.ts";
import { turn, TURN_AFTER } from "../../core/turn.ts";
import { changing, readFile } from "./read_file.ts";
import type { StatCache } from "./stat_cache.ts";

/** A file as it went into the digest. */
export interface HashedFile {
  /** Relative, as it was given. */
  readonly name: string;
  readonly kind: "file" | "executable" | "link" | "other_link";
  readonly digest: Digest;
}

/** Options of {@linkcode hashFiles}. */
export interface HashFilesOptions extends SignalOptions {
  /** Names are relative to it. */
  readonly cwd: string;
  /** Knows files of `cwd`; the caller saves it. */
  readonly statCache: StatCache;
}

/** What {@linkcode hashFiles} found. */
export interface HashedFiles {
  readonly digest: Digest;
  readonly files: readonly HashedFile[];
}

const KINDS = ["", "file", "executable", "link", "other_link"];

/**
 * Hashes these files; a link counts as the file that it leads to.
 * @throws {CacheError} `conflict` for one that is gone, or keeps changing
 */
export async function hashFiles(
  names: readonly string[],
  options: HashFilesOptions,
): Promise<HashedFiles> {
  const files: HashedFile[] = [];
  for (const [n, name] of names.toSorted(compareText).entries()) {
    if (n % TURN_AFTER === 0) await turn(options.signal);
    files.push(await hashFile(name, options));
  }
  return { digest: digestOfFiles(files), files };
}

/** The digest over files in order. */
export function digestOfFiles(files: readonly HashedFile[]): Digest {
  const hash = createHash("sha256").update("vitte files 1\n");
  const utf8 = new TextEncoder();
  const length = new Uint8Array(4);
  const kindOf = new Uint8Array(1);
  for (const { name, kind, digest } of files) {
    const path = utf8.encode(name);
    new DataView(length.buffer).setUint32(0, path.length, true);
    kindOf[0] = KINDS.indexOf(kind);
    hash.update(length).update(path).update(kindOf).update(digestBytes(digest));
  }
  return `sha256-${hash.digest("hex")}` as Digest;
}

async function hashFile(
  name: string,
  { cwd, statCache, signal }: HashFilesOptions,
): Promise<HashedFile> {
  const path = join(cwd, name);
  const own = stated(path, () => Deno.lstatSync(path));
  if (!own.isSymlink) {
    const kind = ((own.mode ?? 0) & 0o100) !== 0 ? "executable" : "file";
    return { name, kind, digest: await contentsOf(path, own) };
  }
  const target = Deno.readLinkSync(path);
  const far = behind(path);
  if (!far) return { name, kind: "other_link", digest: digestOf(new TextEncoder().encode(target)) };
  return { name, kind: "link", digest: await contentsOf(far.path, far.stat) };

  async function contentsOf(path: string, stat: Deno.FileInfo): Promise<Digest> {
    const known = own.isSymlink ? undefined : statCache.find(name, stat);
    if (known) return known;
    const file = { name, path, below: name, stat, digest: undefined, cache: statCache };
    return (await readFile(file, { signal })).digest;
  }
}

/** The file that a link leads to, if it is one. */
function behind(path: string): { path: string; stat: Deno.FileInfo } | undefined {
  try {
    const real = Deno.realPathSync(path);
    const stat = Deno.lstatSync(real);
    return stat.isFile ? { path: real, stat } : undefined;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound || thrown instanceof Deno.errors.FilesystemLoop) {
      return undefined;
    }
    throw thrown;
  }
}

function stated(path: string, question: () => Deno.FileInfo): Deno.FileInfo {
  try {
    return question();
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) throw changing(path, thrown);
    throw thrown;
  }
}
