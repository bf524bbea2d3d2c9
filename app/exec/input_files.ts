/** From patterns to the files that a run reads. */
import { resolve } from "node:path";
import { filesAt, globFiles } from "../../client/tree/glob_files.ts";
import { compareText } from "../../core/text_order.ts";

/**
 * The files and links that these patterns match, as absolute paths.
 * @throws {CacheError} `invalid_argument` for a pattern that matches nothing: a key that misses an
 * input would hit where it must not
 */
export function matchingFiles(patterns: readonly string[], cwd: string): string[] {
  return globFiles(patterns, cwd).map((path) => resolve(cwd, path));
}

/** The files and links in an absolute folder, as absolute paths in one order everywhere. */
export function filesIn(folder: string): string[] {
  return filesAt("", folder).sort(compareText).map((path) => resolve(folder, path));
}

/** Whether `path` is `place` or stands below it; both are absolute. */
export function isAtOrBelow(path: string, place: string): boolean {
  return path === place || path.startsWith(place === "/" ? place : `${place}/`);
}
