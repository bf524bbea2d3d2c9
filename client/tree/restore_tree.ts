/** Brings a tree back to disk: checks all of it first, then writes what is not there already. */
import { checkTree } from "../../codec/tree_check.ts";
import type { TreeEntry } from "../../codec/tree_manifest.ts";
import { linkEscapes } from "../../codec/tree_path.ts";
import type { BatchBlobStore } from "../../core/blob_batches.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Clock } from "../../core/clock.ts";
import { CacheError } from "../../core/errors.ts";
import { turn, TURN_AFTER } from "../../core/turn.ts";
import { fetchFiles } from "./fetch_files.ts";
import type { FileGoal, Goal } from "./fetch_files.ts";
import { readFile } from "./read_file.ts";
import { StatCache } from "./stat_cache.ts";
import type { StatCacheOptions } from "./stat_cache.ts";
import { TargetFolder } from "./target_folder.ts";
import { belowOf, pathIn, placeBelow } from "./tree_place.ts";
import type { TreePlace } from "./tree_place.ts";

/** Options of {@linkcode restoreTree}. */
export interface RestoreTreeOptions extends SignalOptions {
  /** Folder of the stat caches; `undefined`: what stands there is compared by reading it. */
  readonly statFolder: string | undefined;
  /** As {@linkcode StatCacheOptions}. */
  readonly onNotKept?: StatCacheOptions["onNotKept"];
  readonly clock: Clock;
  /** Writes links that lead out of the tree too. Default false: a tree with one is refused. */
  readonly outsideLinks?: boolean | undefined;
  /** Told once, when it is known what has to be written: bytes of all files. */
  readonly onTotal?: ((bytes: number) => void) | undefined;
  /** Told of bytes of files that are done: written, or found to be there already. */
  readonly onDone?: ((bytes: number) => void) | undefined;
}

/** What {@linkcode restoreTree} did. */
export interface RestoredTree {
  /** Files of the tree, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Files that were written; the others were there already. */
  readonly filesWritten: number;
  /** Bytes of contents that came from the cache. */
  readonly bytesFetched: number;
}

/**
 * The places of a tree whose caller named none, below an absolute path: what was saved, each with
 * its own name.
 */
export function savedPlaces(entries: readonly TreeEntry[], folder: string): TreePlace[] {
  const listed = new Set<string>();
  const places: TreePlace[] = [];
  for (const { path } of entries) {
    listed.add(path);
    const slash = path.lastIndexOf("/");
    if (slash < 0 || !listed.has(path.slice(0, slash))) places.push(placeBelow(folder, path));
  }
  return places;
}

/**
 * Writes what stands at and below these places in the tree, and nothing anywhere else. Each file is
 * written beside its place and renamed; links that stand there are replaced, never followed; what
 * is there and not in the tree stays.
 * @throws {CacheError} `corrupt` for a tree that is refused, before anything is written; `conflict`
 * for a folder that is not empty where a file belongs, or a link above one; `corrupt` when bytes
 * were lost meanwhile. What is whole by then stays, what is not is removed.
 */
export async function restoreTree(
  blobs: BatchBlobStore,
  entries: readonly TreeEntry[],
  places: readonly TreePlace[],
  options: RestoreTreeOptions,
): Promise<RestoredTree> {
  checkTree(entries);
  const goals = goalsOf(entries, places);
  if (!options.outsideLinks) refuseOutsideLinks(goals);
  const folders = goals.filter(({ entry }) => entry.type === "folder");
  using target = new TargetFolder(
    new Map(folders.map(({ entry, path }) => [path, entry.type === "folder" ? entry.mode : 0])),
  );
  // All that may be refused is, before the first change.
  const looks = goals.map((goal) => target.look(goal.path, goal.place.anchor));
  const caches = new StatCaches(options);
  const files = goals.filter(isFile);
  options.onTotal?.(files.reduce((sum, { entry }) => sum + entry.size, 0));
  const wanted: FileGoal[] = [];
  for (const [n, goal] of goals.entries()) {
    if (!isFile(goal)) continue;
    if (n % TURN_AFTER === 0) await turn(options.signal);
    const stat = looks[n];
    if (stat && await holdsAlready(goal, stat, { caches, signal: options.signal })) {
      options.onDone?.(goal.entry.size);
    } else wanted.push(goal);
  }
  for (const { path, place } of folders) target.folder(path, place.anchor);
  const bytesFetched = await fetchFiles(blobs, wanted, target, options);
  for (const [n, { entry, path, place }] of goals.entries()) {
    if (entry.type !== "link" || isSameLink(path, looks[n], entry.target)) continue;
    target.link(path, place.anchor, entry.target);
  }
  target.settleFolders();
  caches.rememberWritten(wanted);
  return {
    files: files.length,
    bytes: files.reduce((sum, { entry }) => sum + entry.size, 0),
    filesWritten: wanted.length,
    bytesFetched,
  };
}

/** The entries at and below the places, with where they go. */
function goalsOf(entries: readonly TreeEntry[], places: readonly TreePlace[]): Goal[] {
  const byName = new Map(places.map((place) => [place.name, place]));
  const met = new Set<TreePlace>();
  const goals: Goal[] = [];
  for (const entry of entries) {
    const place = placeAbove(entry.path, byName);
    if (!place) continue;
    met.add(place);
    goals.push({ entry, place, path: pathIn(place, entry.path) });
  }
  const unmet = places.find((place) => !met.has(place) && place.name !== "");
  if (!unmet) return goals;
  const held = savedPlaces(entries, "/").map(({ name }) => `"${name}"`);
  throw new CacheError(
    "invalid_argument",
    `Cannot restore "${unmet.path}": the tree does not hold "${unmet.name}"`,
    { operation: "tree.restore", hint: `it holds ${held.slice(0, 5).join(", ") || "nothing"}` },
  );
}

function placeAbove(path: string, byName: ReadonlyMap<string, TreePlace>): TreePlace | undefined {
  for (let name = path;;) {
    const place = byName.get(name);
    if (place || name === "") return place;
    name = name.slice(0, Math.max(name.lastIndexOf("/"), 0));
  }
}

function refuseOutsideLinks(goals: readonly Goal[]): void {
  for (const { entry } of goals) {
    if (entry.type !== "link" || !linkEscapes(entry.path, entry.target)) continue;
    throw new CacheError(
      "corrupt",
      `Cannot use the tree: "${entry.path}" is a link to "${entry.target}", which leads out of it`,
      { operation: "tree.restore", hint: "--outside-links writes such links as they are" },
    );
  }
}

/** Whether the file there is the one of the tree; its mode is set right then. */
async function holdsAlready(
  { entry, path, place }: FileGoal,
  stat: Deno.FileInfo,
  { caches, signal }: { caches: StatCaches; signal: AbortSignal | undefined },
): Promise<boolean> {
  if (!stat.isFile || stat.size !== entry.size) return false;
  const cache = caches.of(place);
  const below = belowOf(place, entry.path);
  const digest = cache.find(below, stat) ??
    (await readFile({ name: entry.path, path, below, stat, digest: undefined, cache }, { signal }))
      .digest;
  if (digest !== entry.digest) return false;
  if (((stat.mode ?? 0) & 0o7777) === entry.mode) return true;
  // The mode would be that of all its names, and they may stand anywhere.
  if (stat.nlink !== null && stat.nlink > 1) return false;
  Deno.chmodSync(path, entry.mode);
  return true;
}

function isSameLink(path: string, stat: Deno.FileInfo | undefined, target: string): boolean {
  return stat?.isSymlink === true && Deno.readLinkSync(path) === target;
}

function isFile(goal: Goal): goal is FileGoal {
  return goal.entry.type === "file";
}

/** The stat caches of all places, opened as they are needed. */
class StatCaches {
  readonly #options: RestoreTreeOptions;
  readonly #caches = new Map<TreePlace, StatCache>();

  constructor(options: RestoreTreeOptions) {
    this.#options = options;
  }
  of(place: TreePlace): StatCache {
    let cache = this.#caches.get(place);
    if (!cache) {
      const { statFolder: folder, clock, onNotKept } = this.#options;
      cache = StatCache.open(place.path, { folder, clock, onNotKept });
      this.#caches.set(place, cache);
    }
    return cache;
  }
  /** So that a save that follows need not read what was just written. */
  rememberWritten(goals: readonly FileGoal[]): void {
    for (const { entry, path, place } of goals) {
      const cache = this.of(place);
      const stat = Deno.lstatSync(path);
      const readAt = cache.now();
      cache.remember(belowOf(place, entry.path), { stat, digest: entry.digest, readAt });
    }
    for (const cache of this.#caches.values()) cache.saveAll();
  }
}
