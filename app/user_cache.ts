/** Folders of the user's own cache that are no store. */
import type { Environment } from "./environment.ts";

/** Where the stat caches of trees are; `undefined` where no home is known: then all is read. */
export function statFolder(environment: Environment): string | undefined {
  const cache = environment.env("XDG_CACHE_HOME");
  if (cache) return `${cache}/vitte-remote-cache/trees`;
  const home = environment.env("HOME");
  return home ? `${home}/.cache/vitte-remote-cache/trees` : undefined;
}
