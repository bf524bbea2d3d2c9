/** Where the store is when nobody says. */
import { UsageError } from "./exit_codes.ts";
import type { Environment } from "./environment.ts";

/** `$XDG_CACHE_HOME/vitte-remote-cache`, else `~/.cache/vitte-remote-cache`. */
export function defaultFolder(environment: Environment): string {
  const cache = environment.env("XDG_CACHE_HOME");
  if (cache) return `${cache}/vitte-remote-cache`;
  const home = environment.env("HOME");
  if (home) return `${home}/.cache/vitte-remote-cache`;
  throw new UsageError("no folder is named", "give --dir, or set HOME");
}
