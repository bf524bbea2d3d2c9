/**
 * Writing one object. The order of the calls is what makes it durable and whole:
 *
 *   1. a new file beside the objects, made exclusively   2. all bytes   3. their number is right
 *   4. fsync of the file   5. rename onto the object   6. fsync of the folder
 *
 * Without 4 a crash may leave a whole name with no bytes, without 6 the old object or none. Only
 * calls that a network file system has too: no locks, no maps; a hard link only where it works.
 */
import { throwIfAborted } from "../../core/abort.ts";
import type { ByteSource, SignalOptions } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { drain } from "../drain.ts";
import { codeOf, fsCall, translateFsError } from "./errors.ts";
import { folderOf } from "./folder.ts";
import type { Folders } from "./folder.ts";
import { discardTemp, TEMP_FOLDER, tempName } from "./temp_file.ts";

/** What {@linkcode writeObject} works on. */
export interface WriteTarget extends SignalOptions {
  /** Absolute and real. */
  readonly root: string;
  readonly folders: Folders;
  readonly key: string;
}

/** Codes by which a link is refused though the bytes could be copied. */
const COPY_INSTEAD: ReadonlySet<string> = new Set([
  "EXDEV",
  "EPERM",
  "EACCES",
  "EMLINK",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EINVAL",
  "ENOENT",
]);

/**
 * Stores a source under a key and tells its size; durable when resolved. A failure or an abort
 * leaves the old object, or none if the failure came after the rename, and no temporary file.
 */
export async function writeObject(source: ByteSource, target: WriteTarget): Promise<number> {
  throwIfAborted(target.signal);
  if (source.path !== undefined) {
    const size = await linkObject(source, source.path, target);
    if (size !== undefined) return size;
  }
  const temp = `${target.root}/${TEMP_FOLDER}/${tempName(target.key)}`;
  try {
    const { size, ino } = await writeTemp(source, temp, target);
    await publish({ temp, ino }, target);
    return size;
  } catch (error) {
    await discardTemp(temp);
    throw error;
  }
}

async function writeTemp(
  source: ByteSource,
  temp: string,
  target: WriteTarget,
): Promise<{ size: number; ino: number | null }> {
  const attempt = { verb: "write", what: `object "${target.key}"` };
  using file = await createTemp(temp, target);
  const size = await drain(source, (chunk) => fsCall(attempt, writeAll(file, chunk)), {
    key: target.key,
    signal: target.signal,
  });
  const { size: onDisk, ino } = await fsCall(attempt, file.stat());
  if (onDisk !== size) {
    throw new CacheError(
      "unavailable",
      `Cannot write object "${target.key}": the file has ${onDisk} bytes, want ${size}`,
      { operation: "fs.write", context: { key: target.key } },
    );
  }
  await fsCall(attempt, file.sync());
  return { size, ino };
}

async function createTemp(temp: string, { root, key }: WriteTarget): Promise<Deno.FsFile> {
  const create = () => Deno.open(temp, { write: true, createNew: true });
  const attempt = { verb: "write", what: `object "${key}"` };
  try {
    return await create();
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw translateFsError(thrown, attempt);
  }
  // Somebody has tidied up the folder of temporary files.
  await fsCall(attempt, Deno.mkdir(`${root}/${TEMP_FOLDER}`, { recursive: true }));
  return await fsCall(attempt, create());
}

async function writeAll(file: Deno.FsFile, bytes: Bytes): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

/**
 * Links a finished file instead of copying it; `undefined` where that can not be. The file stays
 * as it is for its owner, who promised never to change it.
 */
async function linkObject(
  source: ByteSource,
  path: string,
  target: WriteTarget,
): Promise<number | undefined> {
  const temp = `${target.root}/${TEMP_FOLDER}/${tempName(target.key, "linked")}`;
  try {
    await Deno.link(path, temp);
  } catch (thrown) {
    if (COPY_INSTEAD.has(codeOf(thrown) ?? "")) return undefined;
    throw translateFsError(thrown, { verb: "link", what: `object "${target.key}"` });
  }
  try {
    const attempt = { verb: "link", what: `object "${target.key}"` };
    // A link to a symbolic link is one itself, and would name a file outside.
    const info = await fsCall(attempt, Deno.lstat(temp));
    if (!info.isFile || !await syncFile(temp)) return undefined;
    if (source.size !== undefined && info.size !== source.size) {
      throw new CacheError(
        "invalid_argument",
        `Cannot store object "${target.key}": the file has ${info.size} bytes, want ${source.size}`,
        { operation: "fs.link", context: { key: target.key } },
      );
    }
    await publish({ temp, ino: info.ino }, target);
    return info.size;
  } finally {
    // Needed after a success too: rename does nothing, and says nothing, when both names are links
    // to one file already.
    await discardTemp(temp);
  }
}

/** Its owner may not have synced the file; a file that we can not open is copied instead. */
async function syncFile(path: string): Promise<boolean> {
  const attempt = { verb: "sync", what: `file "${path}"` };
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (thrown) {
    if (COPY_INSTEAD.has(codeOf(thrown) ?? "")) return false;
    throw translateFsError(thrown, attempt);
  }
  using _file = file;
  await fsCall(attempt, file.sync());
  return true;
}

/** Gives a whole and synced file, known by its inode, its name. */
async function publish(
  file: { temp: string; ino: number | null },
  { root, folders, key, signal }: WriteTarget,
): Promise<void> {
  const folder = folderOf(key);
  await folders.make(folder);
  throwIfAborted(signal);
  await fsCall(
    { verb: "write", what: `object "${key}"` },
    Deno.rename(file.temp, `${root}/${key}`),
  );
  try {
    await folders.sync(folder);
  } catch (error) {
    // The new object is seen but may be gone after a crash: better none than one not promised.
    // Only if it is still ours: somebody else's put may have resolved meanwhile.
    const now = await Deno.lstat(`${root}/${key}`).catch(() => undefined);
    if (now && now.ino === file.ino) await discardTemp(`${root}/${key}`);
    throw error;
  }
}
