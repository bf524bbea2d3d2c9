/** Folders to save and restore, a cache in memory between them. */
import { join } from "node:path/posix";
import { ManualClock } from "../../core/clock.ts";
import { bytesSource } from "../../core/bytes.ts";
import type { EntryDraft } from "../../core/entry.ts";
import type { TreeEntry } from "../../codec/tree_manifest.ts";
import { findTree } from "../../client/tree/find_tree.ts";
import { restoreTree, savedPlaces } from "../../client/tree/restore_tree.ts";
import type { RestoredTree, RestoreTreeOptions } from "../../client/tree/restore_tree.ts";
import { saveTree, TREE_PROTOCOL } from "../../client/tree/save_tree.ts";
import type { SavedTree, SaveTreeOptions } from "../../client/tree/save_tree.ts";
import { placesOf } from "../../client/tree/tree_place.ts";
import type { TreePlace } from "../../client/tree/tree_place.ts";
import { createMemoryCache } from "./memory_cache.ts";
import { rawTree } from "./raw_tree.ts";
import { tempDir } from "./temp.ts";

/** What a test of trees stands on. */
export interface TreeWorld extends AsyncDisposable {
  readonly cache: ReturnType<typeof createMemoryCache>;
  readonly clock: ManualClock;
  /** What save and restore are given. */
  readonly options: { readonly statFolder: string; readonly clock: ManualClock };
  /** Where trees come from. */
  readonly from: string;
  /** Where they go. */
  readonly to: string;
  /** Writes a file below `from`, with the folders above it. */
  write(path: string, text: string, mode?: number): void;
  save(key: string, paths: readonly string[], more?: Partial<SaveTreeOptions>): Promise<SavedTree>;
  /** Restores below `to`; `undefined` for a miss. */
  restore(key: string, more?: RestoreWishes): Promise<RestoredTree | undefined>;
  /** Puts the bytes of a manifest under a key, as a writer who checks nothing would. */
  plant(key: string, entries: readonly TreeEntry[]): Promise<void>;
}

/** What a restore may ask for. */
export interface RestoreWishes extends Partial<RestoreTreeOptions> {
  readonly places?: readonly TreePlace[];
}

/** Makes a world. Its clock is an hour ahead of the file system, so that all files are settled. */
export async function treeWorld(): Promise<TreeWorld> {
  const dir = await tempDir();
  const cache = createMemoryCache();
  const clock = new ManualClock(Date.now() + 3_600_000);
  const [from, to, statFolder] = ["from", "to", "stat"].map((name) => dir.join(name));
  for (const folder of [from!, to!]) Deno.mkdirSync(folder);
  let written = 1_600_000_000;
  const options = { statFolder: statFolder!, clock };
  const lookup = { namespace: "default", scopes: ["main"], protocol: TREE_PROTOCOL };
  return {
    cache,
    clock,
    options,
    from: from!,
    to: to!,
    write(path, text, mode = 0o644) {
      writeFile(join(from!, path), text, mode);
      // Two writes within a tick of the clock would look alike.
      Deno.utimeSync(join(from!, path), 0, ++written);
    },
    async save(key, paths, more) {
      return await saveTree(cache, treeDraft(key), placesOf(paths, from!), { ...options, ...more });
    },
    async restore(key, { places, ...more } = {}) {
      const found = await findTree(cache, { ...lookup, key });
      if (!found) return undefined;
      const goals = places ?? savedPlaces(found.entries, to!);
      return await restoreTree(cache.blobs("default"), found.entries, goals, {
        ...options,
        ...more,
      });
    },
    async plant(key, entries) {
      const draft = { ...treeDraft(key), content: "opaque" as const };
      const { entry } = await cache.put(draft, bytesSource(rawTree(entries)));
      // The store itself would refuse to link it as a tree.
      Object.assign(entry, { content: "tree" });
    },
    [Symbol.asyncDispose]: async () => {
      // Folders of a test may be closed to their owner.
      openAll(dir.path);
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** A draft of a tree. */
export function treeDraft(key: string): EntryDraft {
  return {
    namespace: "default",
    scope: "main",
    protocol: TREE_PROTOCOL,
    key,
    content: "tree",
    blobs: [],
    tags: [],
    writer: "anne",
    created: 1,
    cost: 0,
    inputs: {},
    headers: {},
    mutability: "immutable",
  };
}

/** Writes a file, with the folders above it. */
export function writeFile(path: string, text: string, mode = 0o644): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  Deno.writeTextFileSync(path, text);
  Deno.chmodSync(path, mode);
}

/** What is below a folder: path to type, mode, contents or target; times and owners do not count. */
export function picture(folder: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    const stat = Deno.lstatSync(path);
    const mode = ((stat.mode ?? 0) & 0o7777).toString(8);
    if (stat.isSymlink) found[below + name] = `link ${Deno.readLinkSync(path)}`;
    else if (stat.isDirectory) {
      found[below + name] = `folder ${mode}`;
      Object.assign(found, picture(path, `${below}${name}/`));
    } else found[below + name] = `file ${mode} ${Deno.readTextFileSync(path)}`;
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => a < b ? -1 : 1));
}

function openAll(folder: string): void {
  Deno.chmodSync(folder, 0o755);
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) openAll(join(folder, name));
  }
}
