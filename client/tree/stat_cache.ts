/**
 * Remembers the digests of files by what `lstat` says of them, so that what did not change is not
 * read again. One file for each path that is saved, not for each key, in the user's cache folder.
 *
 * A row is kept only where a later change could not hide: a file that changes after it was read
 * gets a newer `ctime`, unless the clock of its file system has not moved on since. The runtime
 * shows `ctime` in whole seconds, so a file that changed within the second in which it was read is
 * not remembered, and is read once more the next time.
 */
import { join } from "node:path/posix";
import { toCacheError } from "../../core/errors.ts";
import type { CacheError } from "../../core/errors.ts";
import type { Clock } from "../../core/clock.ts";
import { digestOf } from "../../core/digest.ts";
import { MAX_TREE_ENTRIES } from "../../core/limits.ts";
import type { Digest } from "../../core/digest.ts";

/** Where rows are kept, and the time that rows are judged by. */
export interface StatCacheOptions {
  /** Folder for them, made (0700) when the first one is kept. `undefined`: nothing is remembered. */
  readonly folder: string | undefined;
  readonly clock: Clock;
  /**
   * Hears why rows could not be kept, as in a home that can not be written: files are then read
   * again the next time. Default: whoever saves gets the error.
   */
  readonly onNotKept?: ((error: CacheError) => void) | undefined;
}

/** What `lstat` says of a file's state, as far as changes of its contents show in it. */
export type FileStat = Pick<Deno.FileInfo, "size" | "mtime" | "ctime" | "ino" | "mode" | "dev">;

/** [size, mtime ms, ctime ms, inode, device, mode, digest] */
type Row = readonly [number, number, number, number, number, number, Digest];

const VERSION = 1;
/** Milliseconds: a file system's clock moves in steps, and may lag behind by one of them. */
const TICK_MS = 50;
const SECOND_MS = 1000;
/** Milliseconds after which rows that nobody asked for are dropped: a branch may rest that long. */
const UNUSED_MS = 90 * 24 * 60 * 60 * 1000;

/** The rows of one path. */
export class StatCache {
  readonly #file: string | undefined;
  readonly #clock: Clock;
  readonly #old: Map<string, Row>;
  readonly #rows = new Map<string, Row>();
  readonly #root: string;
  readonly #onNotKept: StatCacheOptions["onNotKept"];

  private constructor(
    root: string,
    { clock, file, old, onNotKept }:
      & Pick<StatCacheOptions, "clock" | "onNotKept">
      & { file: string | undefined; old: Map<string, Row> },
  ) {
    this.#root = root;
    this.#clock = clock;
    this.#file = file;
    this.#old = old;
    this.#onNotKept = onNotKept;
  }

  /** Opens what is known of the files below `root`, an absolute path. What is damaged is nothing. */
  static open(root: string, { folder, clock, onNotKept }: StatCacheOptions): StatCache {
    const name = digestOf(new TextEncoder().encode(root)).slice(7, 39);
    const file = folder === undefined ? undefined : join(folder, `${name}.json`);
    const old: Map<string, Row> = file ? readRows(file, root) : new Map();
    return new StatCache(root, { clock, file, old, onNotKept });
  }

  /** The digest of the file at `path`, relative to the root, if it did not change since. */
  find(path: string, stat: FileStat): Digest | undefined {
    const row = this.#rows.get(path) ?? this.#old.get(path);
    if (!row || !isState(row, stat)) return undefined;
    this.#rows.set(path, row);
    return row[6];
  }

  /** The time before which a file's contents must be looked at for {@linkcode remember}. */
  now(): number {
    return this.#clock.now();
  }

  /** Remembers a file whose state was `stat` both before `readAt` and after it was read. */
  remember(path: string, { stat, digest, readAt }: {
    readonly stat: FileStat;
    readonly digest: Digest;
    readonly readAt: number;
  }): void {
    const ctime = stat.ctime?.getTime();
    if (ctime === undefined) return;
    const settled = Math.floor((readAt - TICK_MS) / SECOND_MS) > Math.floor(ctime / SECOND_MS);
    if (settled) this.#rows.set(path, rowOf(stat, digest));
  }

  /**
   * Rows for the next time; written beside and renamed (0600). Files not met again are dropped.
   * @throws {CacheError} when they can not be kept and nobody else hears of it
   */
  save(): void {
    try {
      this.#keep();
    } catch (thrown) {
      const error = toCacheError(thrown, "stat_cache.save");
      if (!this.#onNotKept) throw error;
      this.#onNotKept(error);
    }
  }

  #keep(): void {
    if (this.#file === undefined) return;
    const same = this.#rows.size === this.#old.size &&
      [...this.#rows].every(([path, row]) => this.#old.get(path) === row);
    if (same && this.#rows.size === 0) return;
    const folder = this.#file.slice(0, this.#file.lastIndexOf("/"));
    if (!same) writeAside(this.#file, this.#text());
    // Its time says when it was of use last.
    Deno.utimeSync(this.#file, this.now() / 1000, this.now() / 1000);
    if (!same) dropUnused(folder, this.now());
  }

  #text(): string {
    return JSON.stringify({
      version: VERSION,
      root: this.#root,
      files: [...this.#rows].map(([path, row]) => [path, ...row]),
    });
  }

  /** As {@linkcode save}, with the rows of files that were not looked at kept too. */
  saveAll(): void {
    for (const [path, row] of this.#old) {
      // Rows of files that are gone must not pile up for ever.
      if (this.#rows.size >= MAX_TREE_ENTRIES) break;
      if (!this.#rows.has(path)) this.#rows.set(path, row);
    }
    this.save();
  }
}

function rowOf(stat: FileStat, digest: Digest): Row {
  const { size, mtime, ctime, ino, dev, mode } = stat;
  return [size, timeOf(mtime), timeOf(ctime), ino ?? -1, dev, mode ?? -1, digest];
}

function isState(row: Row, { size, mtime, ctime, ino, dev, mode }: FileStat): boolean {
  return row[0] === size && row[1] === timeOf(mtime) && row[2] === timeOf(ctime) &&
    row[3] === (ino ?? -1) && row[4] === dev && row[5] === (mode ?? -1);
}

function timeOf(date: Date | null): number {
  return date?.getTime() ?? -1;
}

function readRows(file: string, root: string): Map<string, Row> {
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch {
    // Whatever can not be read is not known, why ever: files are then read, as they were the first
    // time. What is wrong with the folder is told when rows are kept there.
    return new Map();
  }
  return parseRows(text, root);
}

function parseRows(text: string, root: string): Map<string, Row> {
  const rows = new Map<string, Row>();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return rows;
  }
  const { version, root: owner, files } = (value ?? {}) as Record<string, unknown>;
  if (version !== VERSION || owner !== root || !Array.isArray(files)) return rows;
  for (const file of files) {
    if (!isStored(file)) return new Map();
    rows.set(file[0], file.slice(1) as unknown as Row);
  }
  return rows;
}

const DIGEST = /^sha256-[0-9a-f]{64}$/;

/** Whether this is a path and its row. */
function isStored(file: unknown): file is readonly [string, ...Row] {
  if (!Array.isArray(file) || file.length !== 8 || typeof file[0] !== "string") return false;
  for (let n = 1; n < 7; n++) if (!Number.isSafeInteger(file[n])) return false;
  return typeof file[7] === "string" && DIGEST.test(file[7]);
}

/** Removes what no path of this machine has used for long. */
function dropUnused(folder: string, now: number): void {
  for (const { name } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    try {
      const used = Deno.lstatSync(path).mtime?.getTime() ?? now;
      if (now - used > UNUSED_MS) Deno.removeSync(path);
    } catch (thrown) {
      // Another process was faster.
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
  }
}

function writeAside(file: string, text: string): void {
  const folder = file.slice(0, file.lastIndexOf("/"));
  const temporary = `${file}.${crypto.randomUUID()}.new`;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    Deno.writeTextFileSync(temporary, text, { createNew: true, mode: 0o600 });
    Deno.renameSync(temporary, file);
  } catch (thrown) {
    try {
      Deno.removeSync(temporary);
    } catch (second) {
      // It may never have been made; the first failure is the one to tell.
      if (!(second instanceof Deno.errors.NotFound)) throw second;
    }
    throw thrown;
  }
}
