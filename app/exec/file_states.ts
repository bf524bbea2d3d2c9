/** What files are at one moment, so that a later look tells which of them were written since. */
import { createHash } from "node:crypto";
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
} from "node:fs";
import type { BigIntStats } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import type { Digest } from "../../core/digest.ts";
import { digestFromBytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { FILE_TIME_MS, READ_SLICE_BYTES } from "../../core/limits.ts";

/** The state of a file or link, as one text: equal texts are, but for the clock's steps, equal files. */
export type FileState = string;

/** Every file and link at and below some paths, by its path. */
export type Snapshot = ReadonlyMap<string, FileState>;

/** Tries to read a file that changes while it is read. */
const ATTEMPTS = 3;

/** Looks at everything at and below these absolute paths; links are not followed. */
export function snapshot(paths: readonly string[]): Snapshot {
  const found = new Map<string, FileState>();
  for (const path of paths) visit(path, found);
  return found;
}

/**
 * The files that stand there now and are the same as before: whoever ran meanwhile did not write
 * them. One that was written and got its old time back within the same second counts as untouched:
 * that is the safe side.
 */
export function untouched(before: Snapshot, after: Snapshot): string[] {
  return [...after].filter(([path, state]) => before.get(path) === state).map(([path]) => path);
}

/**
 * Waits until a file that is written now gets another time than any of these: file systems count
 * time in steps.
 */
export async function settle(before: Snapshot, clock: Clock, signal: AbortSignal): Promise<void> {
  const last = [...before.keys()].reduce((most, path) => Math.max(most, writtenAt(path)), 0);
  const since = clock.now() - last;
  if (since >= 0 && since < FILE_TIME_MS) await clock.sleep(FILE_TIME_MS - since, signal);
}

/** Digests of files, each read once as long as it does not change. */
export class FileDigests {
  readonly #clock: Clock;
  readonly #known = new Map<string, { state: FileState; digest: Digest }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The digest of a file's contents; links are followed.
   * @throws {CacheError} `conflict` for one that does not stop changing, `invalid_argument` for one
   * that can not be read or is no file
   */
  of(path: string): Digest {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const stats = statOf(path);
      const state = stateOf(stats);
      const known = this.#known.get(path);
      if (known?.state === state) return known.digest;
      const readAt = this.#clock.now();
      const digest = digestOfFile(path);
      if (stateOf(statOf(path)) !== state) continue;
      if (isSettled(stats, readAt)) this.#known.set(path, { state, digest });
      return digest;
    }
    throw new CacheError("conflict", `Cannot read "${path}": it does not stop changing`, {
      operation: "exec.read",
    });
  }
}

function visit(path: string, found: Map<string, FileState>): void {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (!stats) return;
  if (!stats.isDirectory()) {
    found.set(path, stats.isSymbolicLink() ? linkState(path, stats) : stateOf(stats));
    return;
  }
  for (const name of readdirSync(path)) visit(join(path, name), found);
}

function linkState(path: string, stats: BigIntStats): FileState {
  return `${stateOf(stats)} ${readlinkSync(path)}`;
}

function stateOf({ dev, ino, mode, size, mtimeNs, ctimeNs }: BigIntStats): FileState {
  return [dev, ino, mode, size, mtimeNs, ctimeNs].join(" ");
}

function writtenAt(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/**
 * Whether every later change shows: no program can set `ctime`, but the runtime tells it in whole
 * seconds, and the clock of a file system may lag behind by a step.
 */
function isSettled({ ctimeMs }: BigIntStats, readAt: number): boolean {
  return Math.floor((readAt - FILE_TIME_MS) / 1000) > Math.floor(Number(ctimeMs) / 1000);
}

function statOf(path: string): BigIntStats {
  const stats = guarded(path, () => statSync(path, { bigint: true }));
  if (stats.isFile()) return stats;
  throw new CacheError("invalid_argument", `Cannot read "${path}": it is no plain file`, {
    operation: "exec.read",
  });
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
    if (cause instanceof CacheError) throw cause;
    const { code } = cause as { code?: unknown };
    const why = code === "ENOENT" || code === "ENOTDIR"
      ? "no such file"
      : code === "EACCES"
      ? "permission denied"
      : "the file system refused";
    throw new CacheError("invalid_argument", `Cannot read "${path}": ${why}`, {
      operation: "exec.read",
      cause,
    });
  }
}
