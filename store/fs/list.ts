/** Listing objects in the order of their keys, one folder at a time. */
import { throwIfAborted } from "../../core/abort.ts";
import { FS_PARALLEL_CALLS } from "../../core/limits.ts";
import type { ListOptions, ObjectInfo } from "../../core/object_store.ts";
import { fsCall } from "./errors.ts";
import { unlessGone } from "./temp_file.ts";

const AREA = /^[a-z0-9_-]{1,32}$/;
const HEX = /^[0-9a-f]{2}$/;
const NAME = /^[a-z0-9][a-z0-9._-]{0,127}$/;

/**
 * All objects below `root`. Holds the names of one folder at a time; folders that can not have
 * what is asked for are not opened.
 */
export async function* listObjects(root: string, options: ListOptions): AsyncIterable<ObjectInfo> {
  const { prefix = "", after = "", signal } = options;
  throwIfAborted(signal);
  for (const area of await folders(root, "", AREA)) {
    if (!mayHold(area, prefix, after)) continue;
    for (const folder of await folders(root, area, HEX)) {
      if (!mayHold(folder, prefix, after)) continue;
      throwIfAborted(signal);
      const names = await entries(
        `${root}/${folder}`,
        (item) => item.isFile && NAME.test(item.name),
      );
      const keys = names.map((name) => folder + name)
        .filter((key) => key.startsWith(prefix) && key > after).sort();
      for (let i = 0; i < keys.length; i += FS_PARALLEL_CALLS) {
        const infos = await Promise.all(
          keys.slice(i, i + FS_PARALLEL_CALLS).map((key) => objectInfo(root, key)),
        );
        for (const info of infos) {
          throwIfAborted(signal);
          if (info) yield info;
        }
      }
    }
  }
}

/** What is known of an object without opening it; `undefined` for none, or for no plain file. */
export async function objectInfo(root: string, key: string): Promise<ObjectInfo | undefined> {
  const attempt = { verb: "look at", what: `object "${key}"` };
  const info = await fsCall(attempt, unlessGone(Deno.lstat(`${root}/${key}`)));
  if (!info?.isFile) return undefined;
  // A linked file keeps the time it was written at, so the time it was linked counts as well.
  const modified = Math.max(info.mtime?.getTime() ?? 0, info.ctime?.getTime() ?? 0);
  return { key, size: info.size, modified: modified === 0 ? undefined : modified };
}

/** Paths of sub-folders, each with a `/` at its end and sorted with it: "a-b/" is before "a/". */
async function folders(root: string, below: string, form: RegExp): Promise<string[]> {
  const isFolder = (item: Deno.DirEntry) => item.isDirectory && form.test(item.name);
  const names = await entries(`${root}/${below}`, isFolder);
  return names.map((name) => `${below}${name}/`).sort();
}

/** Names in a folder; none if it is gone. */
async function entries(path: string, want: (item: Deno.DirEntry) => boolean): Promise<string[]> {
  const names: string[] = [];
  const read = async () => {
    for await (const item of Deno.readDir(path)) if (want(item)) names.push(item.name);
  };
  await fsCall({ verb: "list", what: `folder "${path}"` }, unlessGone(read()));
  return names;
}

/** Whether a key that begins with `folder` can begin with `prefix` and be greater than `after`. */
function mayHold(folder: string, prefix: string, after: string): boolean {
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  return folder > after || after.startsWith(folder);
}
