/** From patterns to the files that a run reads. */
import { globSync, lstatSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { UsageError } from "../exit_codes.ts";

/**
 * The files and links that these patterns match, as absolute paths in order, each once. A folder
 * stands for everything below it.
 * @throws {UsageError} for a pattern that matches nothing: a key that misses an input would hit
 * where it must not
 */
export function matchingFiles(patterns: readonly string[], cwd: string): string[] {
  const found = new Set<string>();
  for (const pattern of patterns) {
    const before = found.size;
    const matches = globSync(pattern, { cwd });
    for (const match of matches) visit(resolve(cwd, match), found);
    if (matches.length === 0 && found.size === before) {
      throw new UsageError(
        `--input "${pattern}" matches nothing below ${cwd}`,
        "is it misspelled, or does a step before this one make it?",
      );
    }
  }
  return [...found].sort();
}

/** Whether `path` is `place` or stands below it; both are absolute. */
export function isAtOrBelow(path: string, place: string): boolean {
  return path === place || path.startsWith(place === "/" ? place : `${place}/`);
}

function visit(path: string, found: Set<string>): void {
  if (!lstatSync(path).isDirectory()) {
    found.add(path);
    return;
  }
  for (const name of readdirSync(path)) if (name !== ".git") visit(join(path, name), found);
}
