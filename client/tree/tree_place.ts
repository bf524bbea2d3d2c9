/** Between the paths that a caller names and the paths that stand in a tree. */
import { basename, dirname, join, relative, resolve } from "node:path/posix";
import { CacheError } from "../../core/errors.ts";

/** A path of this machine and its name in a tree. */
export interface TreePlace {
  /** Absolute, with neither `.` nor `..` nor a slash at its end. */
  readonly path: string;
  /** Its path in the tree; empty for the tree's own root. */
  readonly name: string;
  /**
   * The folder above it that the caller stands in or named himself: links on the way to it are
   * his, while below it nothing is written through a link.
   */
  readonly anchor: string;
}

/**
 * The places of paths that a caller named. Below `cwd` a path is stored as it stands there; outside
 * of it under its last name.
 * @throws {CacheError} `invalid_argument` for two paths of one name, and for `/`
 */
export function placesOf(paths: readonly string[], cwd: string): TreePlace[] {
  const names = new Map<string, string>();
  for (const given of paths) {
    const path = resolve(cwd, given);
    const name = nameOf(path, cwd);
    if (name === undefined) {
      throw new CacheError("invalid_argument", `Cannot use "${given}": it has no name of its own`);
    }
    const known = names.get(name);
    if (known !== undefined && known !== path) {
      throw new CacheError(
        "invalid_argument",
        `Cannot use "${known}" and "${path}" together: both would be "${name}"`,
        { hint: "a path outside of the working folder is stored under its last name" },
      );
    }
    names.set(name, path);
  }
  return [...names].map(([name, path]) => ({
    name,
    path,
    anchor: isInside(relative(cwd, path)) ? cwd : dirname(path),
  }));
}

/** The place of `name` when a tree's root is `folder`, an absolute path. */
export function placeBelow(folder: string, name: string): TreePlace {
  return { name, path: name === "" ? folder : join(folder, name), anchor: folder };
}

/** Where the entry of this path in the tree is, or goes: at or below its place. */
export function pathIn(place: TreePlace, path: string): string {
  return pathBelow(place, belowOf(place, path));
}

/** The path on the disk of what is `below` a place. Both are tidy: nothing has to be resolved. */
export function pathBelow({ path }: TreePlace, below: string): string {
  if (below === "") return path;
  return path === "/" ? `/${below}` : `${path}/${below}`;
}

/** The path below its place. */
export function belowOf({ name }: TreePlace, path: string): string {
  return path === name ? "" : name === "" ? path : path.slice(name.length + 1);
}

/** The path in the tree of something `below` a place, that place itself for an empty text. */
export function joinName(name: string, below: string): string {
  return name === "" || below === "" ? name + below : `${name}/${below}`;
}

/** Whether `name` is `place` or stands below it. */
export function isBelow(name: string, place: string): boolean {
  return place === "" || name === place || name.startsWith(`${place}/`);
}

function nameOf(path: string, cwd: string): string | undefined {
  const way = relative(cwd, path);
  return isInside(way) ? way : basename(path) || undefined;
}

function isInside(way: string): boolean {
  return way !== ".." && !way.startsWith("../");
}
