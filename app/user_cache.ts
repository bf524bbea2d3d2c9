/** Folders of the user's own cache that are no store. */
import type { CacheError } from "../core/errors.ts";
import type { Environment } from "./environment.ts";
import type { Output } from "./output.ts";
import { shown } from "./output.ts";

/** Where the stat caches of trees are; `undefined` where no home is known: then all is read. */
export function statFolder(environment: Environment): string | undefined {
  const cache = environment.env("XDG_CACHE_HOME");
  if (cache) return `${cache}/vitte-remote-cache/trees`;
  const home = environment.env("HOME");
  return home ? `${home}/.cache/vitte-remote-cache/trees` : undefined;
}

/** Tells once that stat caches can not be kept: it costs time, and no build may fail for it. */
export function warnNotKept(output: Output): (error: CacheError) => void {
  let told = false;
  return ({ message }) => {
    if (!told) output.warn(`digests of files can not be noted: ${shown(message)}`);
    told = true;
  };
}
