/** Reads a file of a tree so that its digest is that of one state of it, or says that it changes. */
import { createHash } from "node:crypto";
import { throwIfAborted } from "../../core/abort.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import { digestFromBytes, digestOf } from "../../core/digest.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { MAX_CHUNK_BYTES, READ_SLICE_BYTES, TREE_READ_ATTEMPTS } from "../../core/limits.ts";
import type { ScannedFile } from "./scan_tree.ts";

/** A file as it was read. */
export interface ReadFile {
  readonly file: ScannedFile;
  readonly digest: Digest;
  /** Its contents where it is small. */
  readonly bytes: Bytes | undefined;
  /** Its state, before and after it was read. */
  readonly stat: Deno.FileInfo;
}

/**
 * Reads and hashes a file, again if it changed meanwhile, and notes it in its stat cache.
 * @throws {CacheError} `conflict` for one that keeps changing or is gone; the signal's reason
 */
export async function readFile(
  file: ScannedFile,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ReadFile> {
  let stat = file.stat;
  for (let attempt = 0; attempt < TREE_READ_ATTEMPTS; attempt++) {
    const readAt = file.cache.now();
    const read = await readOnce(file.path, stat, options.signal);
    const after = stateOf(file.path);
    if (read && isSameState(stat, after)) {
      file.cache.remember(file.below, { stat, digest: read.digest, readAt });
      return { file, ...read, stat };
    }
    stat = after;
  }
  throw changing(file.path);
}

/** The error of a file that changes while a tree is saved. */
export function changing(path: string, cause?: unknown): CacheError {
  return new CacheError("conflict", `Cannot save "${path}": it changes while it is read`, {
    operation: "tree.read",
    hint: "save when whatever writes there is done",
    cause,
  });
}

/** `undefined`: it was not as long as it should be. */
async function readOnce(
  path: string,
  { size }: Deno.FileInfo,
  signal: AbortSignal | undefined,
): Promise<Pick<ReadFile, "digest" | "bytes"> | undefined> {
  try {
    if (size > MAX_CHUNK_BYTES) return await hashLarge(path, size, signal);
    throwIfAborted(signal);
    const bytes = Deno.readFileSync(path);
    return bytes.length === size ? { digest: digestOf(bytes), bytes } : undefined;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) throw changing(path, thrown);
    throwIfAborted(signal);
    throw toCacheError(thrown, "tree.read");
  }
}

async function hashLarge(
  path: string,
  size: number,
  signal: AbortSignal | undefined,
): Promise<Pick<ReadFile, "digest" | "bytes"> | undefined> {
  const hash = createHash("sha256");
  using file = await Deno.open(path, { read: true });
  const buffer = new Uint8Array(4 * READ_SLICE_BYTES);
  let total = 0;
  while (true) {
    throwIfAborted(signal);
    const count = await file.read(buffer);
    if (count === null) break;
    hash.update(buffer.subarray(0, count));
    total += count;
    // One that grows for ever must not be read for ever.
    if (total > size) return undefined;
  }
  if (total !== size) return undefined;
  return { digest: digestFromBytes(new Uint8Array(hash.digest())), bytes: undefined };
}

function stateOf(path: string): Deno.FileInfo {
  try {
    return Deno.lstatSync(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) throw changing(path, thrown);
    throw toCacheError(thrown, "tree.read");
  }
}

function isSameState(a: Deno.FileInfo, b: Deno.FileInfo): boolean {
  return a.isFile && b.isFile && a.size === b.size && a.ino === b.ino && a.dev === b.dev &&
    a.mode === b.mode && a.mtime?.getTime() === b.mtime?.getTime() &&
    a.ctime?.getTime() === b.ctime?.getTime();
}
