/** Objects in a folder of this machine, or of a network file system: one plain file each. */
import { resolve } from "node:path";
import { throwIfAborted } from "../../core/abort.ts";
import { systemClock } from "../../core/clock.ts";
import type { Clock } from "../../core/clock.ts";
import { FS_PARALLEL_CALLS, STALE_TEMP_MS } from "../../core/limits.ts";
import { assertObjectKey } from "../../core/object_store.ts";
import type { ObjectInfo, ObjectStore } from "../../core/object_store.ts";
import { fsCall } from "./errors.ts";
import { folderOf, Folders, makeDurableFolder } from "./folder.ts";
import { listObjects, objectInfo } from "./list.ts";
import { readObject } from "./read.ts";
import { removeStaleTemps, TEMP_FOLDER, unlessGone } from "./temp_file.ts";
import { writeObject } from "./write.ts";

/** Options of {@linkcode openFsStore}. */
export interface FsStoreOptions {
  /** Tells which temporary files are stale. Default: the system's clock. */
  readonly clock?: Clock;
  /**
   * Nobody else has the folder open, so every temporary file is that of a dead process. One may be a
   * second name of a whole object, whose bytes it would keep on the disk. Default false.
   */
  readonly alone?: boolean | undefined;
}

/**
 * Opens the objects in a folder, which is made if it is missing, and removes temporary files that
 * a dead process left there: those older than a day, or all of them if this is the only process that
 * has the folder open. Several may have it open otherwise.
 *
 * @throws {CacheError} `invalid_argument` when `dir` is not a folder, `permission_denied`
 */
export async function openFsStore(dir: string, options: FsStoreOptions = {}): Promise<ObjectStore> {
  const path = resolve(dir);
  const attempt = { verb: "open", what: `folder "${path}"` };
  await makeDurableFolder(path);
  const root = await fsCall(attempt, Deno.realPath(path));
  await fsCall(attempt, Deno.mkdir(`${root}/${TEMP_FOLDER}`, { recursive: true }));
  const folders = new Folders(root);
  await folders.check(TEMP_FOLDER);
  const { clock = systemClock, alone = false } = options;
  await removeStaleTemps(root, alone ? Infinity : clock.now() - STALE_TEMP_MS);
  return fsStore(root, folders);
}

function fsStore(root: string, folders: Folders): ObjectStore {
  return {
    name: `file://${root}`,
    capability: {
      ordered: true,
      range: true,
      atomicPut: true,
      maxSize: undefined,
      pathOf(key) {
        assertObjectKey(key);
        return `${root}/${key}`;
      },
    },
    async get(key, options = {}) {
      assertObjectKey(key);
      throwIfAborted(options.signal);
      if (!await folders.check(folderOf(key))) return undefined;
      return await readObject(`${root}/${key}`, key, options);
    },
    async put(key, source, options = {}) {
      assertObjectKey(key);
      const size = await writeObject(source, { root, folders, key, signal: options.signal });
      // Another put may have replaced it already; what was stored is still what is told.
      const modified = (await objectInfo(root, key))?.modified;
      return { key, size, modified };
    },
    async stat(keys, options = {}) {
      keys.forEach(assertObjectKey);
      throwIfAborted(options.signal);
      const there = await folderMap(folders, keys);
      const infos: (ObjectInfo | undefined)[] = [];
      for (let i = 0; i < keys.length; i += FS_PARALLEL_CALLS) {
        throwIfAborted(options.signal);
        const some = keys.slice(i, i + FS_PARALLEL_CALLS);
        infos.push(
          ...await Promise.all(
            some.map((key) => there.get(folderOf(key)) ? objectInfo(root, key) : undefined),
          ),
        );
      }
      return infos;
    },
    async delete(keys, options = {}) {
      keys.forEach(assertObjectKey);
      throwIfAborted(options.signal);
      const there = await folderMap(folders, keys);
      const present = keys.filter((key) => there.get(folderOf(key)));
      const changed = new Set<string>();
      for (const key of present) {
        throwIfAborted(options.signal);
        const attempt = { verb: "remove", what: `object "${key}"` };
        const info = await fsCall(attempt, unlessGone(Deno.lstat(`${root}/${key}`)));
        // A folder with an object's name is not ours, and removing it would work if it is empty.
        if (!info || info.isDirectory) continue;
        await fsCall(attempt, unlessGone(Deno.remove(`${root}/${key}`)));
        changed.add(folderOf(key));
      }
      for (const folder of changed) await folders.sync(folder);
    },
    list: (options = {}) => listObjects(root, options),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Which of the folders of these keys are there; each is looked at once. */
async function folderMap(
  folders: Folders,
  keys: readonly string[],
): Promise<Map<string, boolean>> {
  const there = new Map<string, boolean>();
  for (const folder of new Set(keys.map(folderOf))) there.set(folder, await folders.check(folder));
  return there;
}
