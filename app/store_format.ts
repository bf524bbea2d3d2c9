/** The `FORMAT` file: which version of the folder's layout this is. */
import { CacheError, toCacheError } from "../core/errors.ts";

/** The version of the layout that this program reads and writes. */
export const STORE_FORMAT = 1;

const FIRST_LINE = /^vitte-remote-cache store, format (\d+)$/;

/**
 * Makes sure that `dir` exists and holds a store of this format; an empty folder becomes one.
 * Tells whether it was new.
 * @throws {CacheError} `unsupported` for a newer format, `invalid_argument` for a folder that
 * holds something else
 */
export async function ensureStoreFolder(dir: string): Promise<{ created: boolean }> {
  await makeFolder(dir);
  const path = `${dir}/FORMAT`;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw toCacheError(thrown, "format.read");
    await refuseForeignFolder(dir);
    await writeFormat(dir, path);
    return { created: true };
  }
  const version = Number(FIRST_LINE.exec(text.split("\n", 1)[0]!)?.[1] ?? NaN);
  if (Number.isNaN(version)) {
    throw new CacheError("corrupt", `Cannot open the store "${dir}": its FORMAT file is damaged`, {
      hint: `the first line has to be: vitte-remote-cache store, format ${STORE_FORMAT}`,
    });
  }
  if (version !== STORE_FORMAT) {
    throw new CacheError(
      "unsupported",
      `Cannot open the store "${dir}": it has format ${version}, want ${STORE_FORMAT}`,
      { hint: "a newer vitte-remote-cache wrote it; use that version, or another --dir" },
    );
  }
  return { created: false };
}

/** Keys, each with what is made behind it and means nothing without it. */
const KEYS = [["domain.key", "active"], ["server.key", "auth.sqlite"]] as const;

/**
 * Makes sure that no key is missing of a store that was in use: a new one would make all that was
 * made with the old one unreadable, without a word.
 * @throws {CacheError} `corrupt`
 */
export async function refuseLostKeys(dir: string): Promise<void> {
  for (const [key, needs] of KEYS) {
    if (await isThere(`${dir}/${key}`) || !await isThere(`${dir}/${needs}`)) continue;
    throw new CacheError("corrupt", `Cannot open the store "${dir}": its "${key}" is gone`, {
      operation: "format.keys",
      hint: `restore it from a backup; to begin anew, name another --dir`,
    });
  }
}

/** Whether the tokens of a store that was in use are gone: they were made before anything else. */
export async function areTokensLost(dir: string): Promise<boolean> {
  return !await isThere(`${dir}/auth.sqlite`) && await isThere(`${dir}/active`);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw toCacheError(thrown, "format.keys");
  }
}

async function makeFolder(dir: string): Promise<void> {
  try {
    await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const { AlreadyExists, NotADirectory } = Deno.errors;
    if (!(cause instanceof AlreadyExists || cause instanceof NotADirectory)) {
      throw toCacheError(cause, "format.make_folder");
    }
    throw new CacheError("invalid_argument", `Cannot make a store in "${dir}": it is no folder`, {
      cause,
      operation: "format.make_folder",
      hint: "name an empty folder, or one that does not exist yet",
    });
  }
}

const OURS = new Set([
  // A first start that was cut off left it.
  "FORMAT.new",
  "lock",
  "active",
  "packs",
  "auth.sqlite",
  "domain.key",
  "server.key",
  "max-size",
  // Of the same user, in the default folder: what `save` knows of files.
  "trees",
  // Local files of go builds, below the same folder of a user.
  "go",
]);

async function refuseForeignFolder(dir: string): Promise<void> {
  for await (const item of Deno.readDir(dir)) {
    if (OURS.has(item.name) || item.name.startsWith(".") || item.name === "lost+found") continue;
    throw new CacheError(
      "invalid_argument",
      `Cannot make a store in "${dir}": it holds "${item.name}" and no FORMAT file`,
      { hint: "name an empty folder, or one that does not exist yet" },
    );
  }
}

async function writeFormat(dir: string, path: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await Deno.open(temporary, { write: true, create: true, truncate: true });
  try {
    const text = `vitte-remote-cache store, format ${STORE_FORMAT}\n` +
      "How to read it: docs/storage_format.md\n";
    await file.write(new TextEncoder().encode(text));
    await file.sync();
  } finally {
    file.close();
  }
  await Deno.rename(temporary, path);
  const folder = await Deno.open(dir, { read: true });
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}
