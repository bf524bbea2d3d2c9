/** From patterns to files, with the globs that the runtime brings along. */
import { globSync } from "node:fs";
import { join, relative, resolve } from "node:path/posix";
import { isGitName } from "../../codec/tree_path.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { MAX_TREE_ENTRIES } from "../../core/limits.ts";
import { compareText } from "../../core/text_order.ts";

/**
 * The files and links that the patterns match, relative to `cwd` and in one order everywhere; of a
 * folder that is matched, everything in it but `.git`. `*` and `**` match no name that begins with
 * a dot; a pattern behind `!` takes out what the others found.
 * @throws {CacheError} `invalid_argument` naming a pattern that matches no file
 */
export function globFiles(patterns: readonly string[], cwd: string): string[] {
  const found = new Set<string>();
  for (const pattern of patterns) {
    if (pattern.startsWith("!")) continue;
    const files = matched(pattern, cwd).flatMap((path) => filesAt(path, cwd));
    if (files.length === 0) throw matchesNothing(pattern);
    for (const file of files) found.add(file);
    if (found.size > MAX_TREE_ENTRIES) {
      throw new CacheError(
        "invalid_argument",
        `Cannot use "${pattern}": more than ${MAX_TREE_ENTRIES} files match`,
        { operation: "tree.glob" },
      );
    }
  }
  for (const pattern of patterns) {
    if (!pattern.startsWith("!")) continue;
    for (const path of matched(pattern.slice(1), cwd)) {
      for (const file of filesAt(path, cwd)) found.delete(file);
    }
  }
  return [...found].sort(compareText);
}

/** What a pattern matches, relative to `cwd`; its own root is an empty text. */
function matched(pattern: string, cwd: string): string[] {
  try {
    return globSync(pattern, { cwd }).map((path) => relative(cwd, resolve(cwd, path)));
  } catch (cause) {
    const { kind, message } = toCacheError(cause, "tree.glob");
    throw new CacheError(kind, `Cannot look for "${pattern}": ${message}`, {
      operation: "tree.glob",
      cause,
    });
  }
}

/** The files and links at and below `path`, but for `.git`; relative to `cwd`, in no order. */
export function filesAt(path: string, cwd: string): string[] {
  const at = join(cwd, path);
  try {
    if (!Deno.lstatSync(at).isDirectory) return [path];
    return [...Deno.readDirSync(at)].filter(({ name }) => !isGitName(name))
      .flatMap(({ name }) => filesAt(path === "" ? name : `${path}/${name}`, cwd));
  } catch (thrown) {
    // Gone since it was found: whoever hashes what there is would not have met it either.
    if (thrown instanceof Deno.errors.NotFound) return [];
    throw toCacheError(thrown, "tree.glob");
  }
}

function matchesNothing(pattern: string): CacheError {
  return new CacheError("invalid_argument", `Cannot use "${pattern}": no file matches`, {
    operation: "tree.glob",
    hint: "quote patterns so that the shell leaves them alone; * matches no name with a dot first",
  });
}
