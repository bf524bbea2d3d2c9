/** Where the parts of a store's folder are. */
import type { ObjectStore } from "../core/object_store.ts";
import { openFsStore } from "../store/fs/fs_store.ts";

/** Paths in a store's folder. */
export interface FolderPaths {
  readonly dir: string;
  readonly packs: string;
  readonly index: string;
  readonly tokens: string;
  readonly audit: string;
  readonly usage: string;
}

/** The paths of this folder. */
export function pathsOf(dir: string): FolderPaths {
  return {
    dir,
    packs: `${dir}/packs`,
    index: `${dir}/index.sqlite`,
    tokens: `${dir}/auth.sqlite`,
    audit: `${dir}/audit`,
    usage: `${dir}/usage.sqlite`,
  };
}

/** The kind of medium that {@linkcode openObjects} opens, as `/v1/whoami` names it. */
export const BACKEND = "fs";

/** The object store that sealed packs go to. `alone`: opened by whoever has the folder's lock. */
export function openObjects(
  paths: FolderPaths,
  options: { readonly alone?: boolean } = {},
): Promise<ObjectStore> {
  return openFsStore(paths.packs, options);
}
