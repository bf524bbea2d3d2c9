/** Walks folders with synchronous calls: each takes less time than a promise would. */
import { linkEscapes, problemOfPath } from "../../codec/tree_path.ts";
import type { TreeFolder, TreeLink } from "../../codec/tree_manifest.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import type { Digest } from "../../core/digest.ts";
import { MAX_TREE_ENTRIES } from "../../core/limits.ts";
import type { StatCache } from "./stat_cache.ts";
import { joinName, pathBelow } from "./tree_place.ts";
import type { TreePlace } from "./tree_place.ts";

/** A file that was found. */
export interface ScannedFile {
  /** Its path in the tree. */
  readonly name: string;
  /** Where it is, absolute. */
  readonly path: string;
  /** Its path below its place, by which the stat cache knows it. */
  readonly below: string;
  readonly stat: Deno.FileInfo;
  /** Its digest if the stat cache knows it: then its contents need not be read. */
  readonly digest: Digest | undefined;
  readonly cache: StatCache;
}

/** What was found, in the order it was met. */
export interface ScannedTree {
  readonly files: readonly ScannedFile[];
  /** Folders and links. */
  readonly others: readonly (TreeFolder | TreeLink)[];
  /** One for each place; the caller saves them. */
  readonly caches: readonly StatCache[];
}

/** {@linkcode scanTree}'s options. */
export interface ScanTreeOptions {
  /** Opens the stat cache of a place. */
  readonly statCache: (root: string) => StatCache;
  /** Takes links that lead out of the tree too. Default false. */
  readonly outsideLinks?: boolean | undefined;
}

/**
 * Everything at and below these places. Links are never followed, not even the places themselves.
 * @throws {CacheError} `invalid_argument` for a place that is not there, devices, sockets, pipes,
 * setuid files, names and links that no tree may hold, and too many entries
 */
export function scanTree(places: readonly TreePlace[], options: ScanTreeOptions): ScannedTree {
  const caches: StatCache[] = [];
  const { outsideLinks = false } = options;
  const walk = new Walk({ outsideLinks, severalPlaces: places.length > 1 });
  for (const place of places) {
    const cache = options.statCache(place.path);
    caches.push(cache);
    walk.visit(place, "", cache);
  }
  return { files: walk.files, others: walk.others, caches };
}

class Walk {
  readonly files: ScannedFile[] = [];
  readonly others: (TreeFolder | TreeLink)[] = [];
  readonly #outsideLinks: boolean;
  readonly #severalPlaces: boolean;
  readonly #seen = new Set<string>();
  #count = 0;

  constructor(options: { readonly outsideLinks: boolean; readonly severalPlaces: boolean }) {
    this.#outsideLinks = options.outsideLinks;
    this.#severalPlaces = options.severalPlaces;
  }

  visit(place: TreePlace, below: string, cache: StatCache): void {
    const name = joinName(place.name, below);
    const path = pathBelow(place, below);
    // One place may stand in another.
    if (this.#severalPlaces && this.#seen.has(name)) return;
    if (this.#severalPlaces) this.#seen.add(name);
    if (++this.#count > MAX_TREE_ENTRIES) {
      throw refused(place.path, `it has more than ${MAX_TREE_ENTRIES} entries`);
    }
    const problem = name === "" ? undefined : problemOfPath(name);
    if (problem) throw refused(path, `its path in the tree ${problem}`);
    const stat = asked(path, () => Deno.lstatSync(path));
    if (stat.isDirectory) {
      // What only groups new files under a group is not kept; a folder can not run.
      const mode = (stat.mode ?? 0) & 0o777;
      if (name !== "") this.others.push({ type: "folder", path: name, mode });
      // Nearly in the order of the manifest: sorting that then costs little.
      const names = asked(path, () => [...Deno.readDirSync(path)]).map((item) => item.name).sort();
      for (const item of names) this.visit(place, joinName(below, item), cache);
    } else if (stat.isSymlink) {
      this.others.push(this.#link(name, path));
    } else if (!stat.isFile) {
      throw refused(path, "it is a device, a pipe or a socket");
    } else if (((stat.mode ?? 0) & 0o7000) !== 0) {
      throw refused(path, "its mode has the setuid, setgid or sticky bit");
    } else {
      const digest = cache.find(below, stat);
      this.files.push({ name, path, below, stat, digest, cache });
    }
  }

  #link(name: string, path: string): TreeLink {
    const target = asked(path, () => Deno.readLinkSync(path));
    if (!this.#outsideLinks && linkEscapes(name, target)) {
      throw new CacheError(
        "invalid_argument",
        `Cannot save "${path}": it is a link to "${target}", which leads out of the tree`,
        { operation: "tree.scan", hint: "--outside-links takes such links as they are" },
      );
    }
    return { type: "link", path: name, target };
  }
}

function asked<T>(path: string, question: () => T): T {
  try {
    return question();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) {
      throw refused(path, "no such file");
    }
    throw toCacheError(cause, "tree.scan");
  }
}

function refused(path: string, state: string): CacheError {
  return new CacheError("invalid_argument", `Cannot save "${path}": ${state}`, {
    operation: "tree.scan",
  });
}
