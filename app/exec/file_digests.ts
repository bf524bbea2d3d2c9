/** Digests of the files that a run reads, each read as seldom as can be. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { StatCache } from "../../client/tree/stat_cache.ts";
import type { FileStat } from "../../client/tree/stat_cache.ts";
import type { Clock } from "../../core/clock.ts";
import type { Digest } from "../../core/digest.ts";
import { digestFromBytes } from "../../core/digest.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { EXEC_REMEMBER_BYTES } from "../../core/build_limits.ts";
import { READ_SLICE_BYTES } from "../../core/limits.ts";

/** Options of {@linkcode FileDigests}. */
export interface FileDigestsOptions {
  readonly clock: Clock;
  /** Where digests are kept from one time to the next; `undefined`: nowhere. */
  readonly folder: string | undefined;
  /** Names the step: each remembers its own files. */
  readonly step: string;
}

/** Tries to read a file that changes while it is read. */
const ATTEMPTS = 3;

/** Remembers what it read by the state of the file: see {@linkcode StatCache}. */
export class FileDigests {
  readonly #notes: StatCache;
  #bytesRead = 0;

  constructor({ step, ...options }: FileDigestsOptions) {
    this.#notes = StatCache.open(`exec ${step}`, options);
  }

  /**
   * The digest of a file's contents; links are followed.
   * @throws {CacheError} `conflict` for one that does not stop changing, `invalid_argument` for one
   * that can not be read or is no file
   */
  of(path: string): Digest {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const stat = statOf(path);
      const known = this.#notes.find(path, stat);
      if (known !== undefined) return known;
      const readAt = this.#notes.now();
      const digest = digestOfFile(path);
      if (!isSame(stat, statOf(path))) continue;
      this.#bytesRead += stat.size;
      this.#notes.remember(path, { stat, digest, readAt });
      return digest;
    }
    throw new CacheError("conflict", `Cannot read "${path}": it does not stop changing`, {
      operation: "exec.read",
    });
  }

  /** Keeps what was read for the next time, where that is more than a look at the notes costs. */
  save(): void {
    if (this.#bytesRead >= EXEC_REMEMBER_BYTES) this.#notes.save();
  }
}

function isSame(a: FileStat, b: FileStat): boolean {
  return a.size === b.size && a.ino === b.ino && a.dev === b.dev && a.mode === b.mode &&
    a.mtime?.getTime() === b.mtime?.getTime() && a.ctime?.getTime() === b.ctime?.getTime();
}

function statOf(path: string): Deno.FileInfo {
  const stat = guarded(path, () => Deno.statSync(path));
  if (stat.isFile) return stat;
  throw unreadable(path, "it is no plain file");
}

function digestOfFile(path: string): Digest {
  return guarded(path, () => {
    const descriptor = openSync(path, "r");
    try {
      const hash = createHash("sha256");
      const buffer = new Uint8Array(READ_SLICE_BYTES);
      for (;;) {
        const count = readSync(descriptor, buffer);
        if (count === 0) return digestFromBytes(hash.digest());
        hash.update(buffer.subarray(0, count));
      }
    } finally {
      closeSync(descriptor);
    }
  });
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) throw unreadable(path, "no such file", cause);
    if ((cause as { code?: unknown }).code === "ENOENT") {
      throw unreadable(path, "no such file", cause);
    }
    const { kind } = toCacheError(cause, "exec.read");
    const why = kind === "permission_denied" ? "permission denied" : "the file system refused";
    throw unreadable(path, why, cause);
  }
}

function unreadable(path: string, why: string, cause?: unknown): CacheError {
  return new CacheError("invalid_argument", `Cannot read "${path}": ${why}`, {
    operation: "exec.read",
    cause,
  });
}
