/**
 * Writes below folders that may hold anything: no link on the way is followed, what is half
 * written has another name, and what stands in the way is either replaced or named.
 *
 * Each folder is looked at once, without following links, before something is written in it.
 * Somebody who changes these folders at the same moment is not kept out by that: he could write
 * there himself.
 */
import { dirname } from "node:path/posix";
import { CacheError, toCacheError } from "../../core/errors.ts";

/** Makes files, folders and links. Disposing it removes what is half written. */
export class TargetFolder implements Disposable {
  /** Folders of the tree, by where they go, with their modes. */
  readonly #listed: ReadonlyMap<string, number>;
  /** Folders that were looked at or made. */
  readonly #ready = new Set<string>();
  /** What stands at a path, for the look before anything is written. */
  readonly #looks = new Map<string, "folder" | "nothing">();
  /** Modes that folders get when all is in them. */
  readonly #modes = new Map<string, number>();
  readonly #temporary = new Set<string>();
  readonly #name = `.vitte-${crypto.randomUUID()}`;
  #count = 0;

  constructor(listed: ReadonlyMap<string, number>) {
    this.#listed = listed;
  }

  /**
   * What stands at `path` now, unless it is a folder that is to be one; nothing is changed.
   * @throws {CacheError} `conflict` for what is in the way and will not be replaced
   */
  look(path: string, anchor: string): Deno.FileInfo | undefined {
    if (this.#lookAbove(path, anchor) === "nothing") return undefined;
    const stat = lstat(path);
    if (stat?.isDirectory && !this.#listed.has(path) && !isEmpty(path)) {
      throw inTheWay(path, "a folder that is not empty stands there");
    }
    return stat;
  }

  /** Makes the folder at `path`, and those between it and `anchor`, where they are missing. */
  folder(path: string, anchor: string): void {
    if (this.#ready.has(path)) return;
    const mode = this.#listed.get(path);
    if (path === anchor) {
      // The caller named it, and whatever links lead to it.
      this.#try(path, () => Deno.mkdirSync(path, { recursive: true }));
    } else {
      this.folder(dirname(path), anchor);
      let stat = lstat(path);
      if (stat && !stat.isDirectory) {
        if (mode === undefined) throw throughOther(path, stat);
        this.#try(path, () => Deno.removeSync(path));
        stat = undefined;
      }
      if (!stat) {
        const first = mode === undefined ? {} : { mode: 0o700 };
        this.#try(path, () => Deno.mkdirSync(path, first));
      } else this.#open(path, stat);
    }
    if (mode !== undefined) this.#modes.set(path, mode);
    this.#ready.add(path);
  }

  /** Puts a file there that `fill` makes under another name. */
  file(path: string, anchor: string, content: { bytes: Uint8Array; mode: number }): void {
    this.folder(dirname(path), anchor);
    this.#try(path, () => {
      const temporary = this.#besides(path);
      const file = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
      try {
        let at = 0;
        while (at < content.bytes.length) at += file.writeSync(content.bytes.subarray(at));
      } finally {
        file.close();
      }
      this.#settle(temporary, path, content.mode);
    });
  }

  /** As {@linkcode file}, with contents that come in parts, which are asked for when there is a file for them. */
  async largeFile(
    path: string,
    anchor: string,
    content: { open(): AsyncIterable<Uint8Array>; mode: number },
  ): Promise<void> {
    this.folder(dirname(path), anchor);
    const temporary = this.#besides(path);
    const file = this.#try(
      path,
      () => Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 }),
    );
    try {
      for await (const part of content.open()) {
        let at = 0;
        while (at < part.length) at += this.#try(path, () => file.writeSync(part.subarray(at)));
      }
    } finally {
      file.close();
    }
    this.#try(path, () => this.#settle(temporary, path, content.mode));
  }

  /** Puts a copy of a file there that was written before. */
  copy(path: string, anchor: string, from: { path: string; mode: number }): void {
    this.folder(dirname(path), anchor);
    this.#try(path, () => {
      const temporary = this.#besides(path);
      Deno.copyFileSync(from.path, temporary);
      this.#settle(temporary, path, from.mode);
    });
  }

  /** Puts a link there. */
  link(path: string, anchor: string, target: string): void {
    this.folder(dirname(path), anchor);
    this.#try(path, () => {
      const temporary = this.#besides(path);
      Deno.symlinkSync(target, temporary);
      this.#rename(temporary, path);
    });
  }

  /** Gives all folders their modes, the inner ones first. */
  settleFolders(): void {
    for (const [path, mode] of [...this.#modes].reverse()) {
      this.#try(path, () => Deno.chmodSync(path, mode));
    }
    this.#modes.clear();
  }

  [Symbol.dispose](): void {
    for (const path of this.#temporary) {
      try {
        Deno.removeSync(path);
      } catch (thrown) {
        if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
      }
    }
    this.#temporary.clear();
    this.settleFolders();
  }

  #lookAbove(path: string, anchor: string): "folder" | "nothing" {
    if (path === anchor) return "folder";
    const above = dirname(path);
    if (above === anchor) return lstatThrough(anchor) ? "folder" : "nothing";
    const known = this.#looks.get(above);
    if (known) return known;
    const found = this.#lookAt(above, anchor);
    this.#looks.set(above, found);
    return found;
  }

  #lookAt(path: string, anchor: string): "folder" | "nothing" {
    if (this.#lookAbove(path, anchor) === "nothing") return "nothing";
    const stat = lstat(path);
    if (stat?.isDirectory) return "folder";
    if (stat && !this.#listed.has(path)) throw throughOther(path, stat);
    return "nothing";
  }

  /** A folder that one can not write in is opened for as long as it takes. */
  #open(path: string, { mode }: Deno.FileInfo): void {
    if (mode === null || (mode & 0o300) === 0o300) return;
    this.#modes.set(path, mode & 0o777);
    this.#try(path, () => Deno.chmodSync(path, (mode & 0o777) | 0o700));
  }

  /** A name beside `path` that nobody else uses. */
  #besides(path: string): string {
    const temporary = `${dirname(path)}/${this.#name}-${++this.#count}`;
    this.#temporary.add(temporary);
    return temporary;
  }

  #settle(temporary: string, path: string, mode: number): void {
    Deno.chmodSync(temporary, mode);
    this.#rename(temporary, path);
  }

  #rename(temporary: string, path: string): void {
    try {
      Deno.renameSync(temporary, path);
    } catch (thrown) {
      if (!lstat(path)?.isDirectory) throw thrown;
      if (!isEmpty(path)) throw inTheWay(path, "a folder that is not empty stands there");
      Deno.removeSync(path);
      Deno.renameSync(temporary, path);
    }
    this.#temporary.delete(temporary);
  }

  #try<T>(path: string, work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      const error = toCacheError(thrown, "tree.write");
      if (thrown instanceof CacheError) throw thrown;
      throw new CacheError(error.kind, `Cannot write "${path}": ${reasonOf(thrown)}`, {
        operation: "tree.write",
        cause: thrown,
      });
    }
  }
}

/** What stands there, itself and not what it may point to. */
function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    if (thrown instanceof Deno.errors.NotADirectory) return undefined;
    throw toCacheError(thrown, "tree.write");
  }
}

/** Whether the folder is there, however one gets to it: it is the caller's own. */
function lstatThrough(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw toCacheError(thrown, "tree.write");
  }
}

function isEmpty(path: string): boolean {
  for (const _ of Deno.readDirSync(path)) return false;
  return true;
}

function throughOther(path: string, stat: Deno.FileInfo): CacheError {
  return inTheWay(
    path,
    stat.isSymlink
      ? "a link stands there, which is not followed, and the tree does not hold the folder itself"
      : "it is no folder, and the tree does not hold one",
    "remove it, or name another place with --to",
  );
}

function inTheWay(path: string, state: string, hint = "remove it first"): CacheError {
  return new CacheError("conflict", `Cannot write "${path}": ${state}`, {
    operation: "tree.write",
    hint,
  });
}

function reasonOf(thrown: unknown): string {
  const { NotFound, PermissionDenied, AlreadyExists } = Deno.errors;
  if (thrown instanceof PermissionDenied) return "permission denied";
  if (thrown instanceof NotFound) return "its folder is gone";
  if (thrown instanceof AlreadyExists) return "something else is there now";
  const code = (thrown as { code?: unknown }).code;
  if (code === "ENOSPC" || code === "EDQUOT") return "the disk is full";
  return code === undefined ? "the file system refused" : `the file system says ${code}`;
}
