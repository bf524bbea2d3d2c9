/** The top of a project: what paths in keys are relative to, so that two checkouts share work. */
import { lstatSync } from "node:fs";
import { dirname, join } from "node:path";

/** What marks the top, best first. */
const MARKS = [".vitte/config.toml", ".git"] as const;

/**
 * The nearest folder from `cwd` upwards that has `.vitte/config.toml`; if none has, the nearest with
 * `.git`; else `cwd` itself. `cwd` is absolute.
 */
export function rootFolder(cwd: string): string {
  for (const mark of MARKS) {
    for (let folder = cwd;; folder = dirname(folder)) {
      if (isThere(join(folder, mark))) return folder;
      if (folder === dirname(folder)) break;
    }
  }
  return cwd;
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
