/**
 * Where objects stand in the folder of a file-system store:
 *
 *     <root>/<area>/<2 hex>/<name>                   one object, its plain bytes
 *     <root>/.tmp/<area>-<2 hex>-<name>.<16 hex>     one being written
 *     <root>/.tmp/<area>-<2 hex>-<name>.<16 hex>.link   one being linked from a finished file
 *
 * No part of a key begins with a dot, so `.tmp` can not be an area. Whatever else lies in the
 * folder is not ours: it is neither listed nor touched, and no symbolic link is followed.
 */
import { CacheError } from "../../core/errors.ts";
import { codeOf, fsCall, translateFsError } from "./errors.ts";

/** Codes by which a file system says that it can not sync a folder; its entries need no sync then. */
const NO_FOLDER_SYNC: ReadonlySet<string> = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/** The parts of an object key that stand for folders: `<area>/<2 hex>`. */
export function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/"));
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path, { read: true });
    await folder.sync();
  } catch (thrown) {
    if (NO_FOLDER_SYNC.has(codeOf(thrown) ?? "")) return;
    throw translateFsError(thrown, { verb: "sync", what: `folder "${path}"` });
  }
}

/**
 * Makes a folder with all its parents, and each new name durable. For the root: symbolic links on
 * the way to it are the operator's business and are followed.
 */
export async function makeDurableFolder(path: string): Promise<void> {
  const made: string[] = [];
  let missing = path;
  while (!await isThere(missing)) {
    made.push(missing);
    const parent = missing.replace(/\/+[^/]+\/*$/, "");
    missing = parent === "" ? "/" : parent;
  }
  if (made.length === 0) return;
  const attempt = { verb: "make", what: `folder "${path}"` };
  await fsCall(attempt, Deno.mkdir(path, { recursive: true }));
  for (const folder of made) await syncFolder(`${folder}/..`);
}

async function isThere(path: string): Promise<boolean> {
  try {
    const info = await Deno.stat(path);
    if (info.isDirectory) return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw translateFsError(thrown, { verb: "open", what: `folder "${path}"` });
  }
  throw new CacheError("invalid_argument", `Cannot open "${path}": want a folder`, {
    operation: "fs.open",
  });
}

/**
 * The folders below a root: checked to be real folders, made when needed, and each made durable
 * once in the life of this object, also when somebody else made it and died before he synced.
 */
export class Folders {
  readonly #root: string;
  readonly #durable = new Map<string, Promise<void>>();

  /** `root` is absolute and has no symbolic link in it. */
  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Whether `<area>/<2 hex>` is there.
   * @throws {CacheError} `permission_denied` when it is reached through a symbolic link
   */
  async check(folder: string): Promise<boolean> {
    const path = `${this.#root}/${folder}`;
    let real: string;
    try {
      real = await Deno.realPath(path);
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound) return false;
      throw translateFsError(thrown, { verb: "open", what: `folder "${folder}"` });
    }
    if (real === path) return true;
    throw new CacheError(
      "permission_denied",
      `Cannot use folder "${folder}": it is reached through a symbolic link, want a plain folder`,
      { operation: "fs.open", context: { folder } },
    );
  }

  /** Makes `<area>/<2 hex>` if it is missing; its name is durable when this resolves. */
  async make(folder: string): Promise<void> {
    if (await this.check(folder)) {
      // Still, whoever made it may not have synced it.
      return await this.#once(folder);
    }
    this.#durable.delete(folder);
    this.#durable.delete(folderOf(folder));
    await this.#once(folder);
    await this.check(folder);
  }

  /** Makes the names in `<area>/<2 hex>` durable. */
  sync(folder: string): Promise<void> {
    return syncFolder(`${this.#root}/${folder}`);
  }

  #once(folder: string): Promise<void> {
    let durable = this.#durable.get(folder);
    if (durable === undefined) {
      durable = this.#makeDurable(folder).catch((error) => {
        this.#durable.delete(folder);
        throw error;
      });
      this.#durable.set(folder, durable);
    }
    return durable;
  }

  async #makeDurable(folder: string): Promise<void> {
    const slash = folder.lastIndexOf("/");
    const parent = slash < 0 ? "" : folder.slice(0, slash);
    if (parent !== "") await this.#once(parent);
    try {
      await Deno.mkdir(`${this.#root}/${folder}`);
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.AlreadyExists)) {
        throw translateFsError(thrown, { verb: "make", what: `folder "${folder}"` });
      }
    }
    await syncFolder(`${this.#root}/${parent}`);
  }
}
