/** Opens the file of an index: makes it, trusts it, or sets it aside. */
import { renameSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { DomainKeys } from "../../codec/entry_id.ts";
import { namespaceId } from "../../codec/entry_id.ts";
import { toHex } from "../../core/digest.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { isDamage, sqliteError } from "./errors.ts";
import { rowProblem } from "./row_sum.ts";
import { SCHEMA, SCHEMA_VERSION } from "./schema.ts";

/** Milliseconds that a connection waits for another one's checkpoint. */
const BUSY_MS = 5000;

/** KiB of pages that a writer keeps: ids are random, so inserts touch pages all over the file. */
const CACHE_KIB = 64 * 1024;

/** Bytes. A file up to here is checked whole before it is used, which takes about 0.1 s. */
const CHECK_FIRST_BYTES = 64 * 1024 * 1024;

/** What {@linkcode openIndexFile} needs. */
export interface IndexFileOptions {
  readonly keys: DomainKeys;
  /** As in `IndexWriterOptions`. */
  readonly checkFirstBytes?: number | undefined;
  readonly report: (error: CacheError) => void;
}

/**
 * Opens the file read-write, or makes it. A damaged one, or one made with other keys, is set
 * aside as `<path>.damaged-<n>` and reported, and an empty one takes its place.
 * @throws {CacheError} `unsupported` for a newer schema; `unavailable` when the file cannot be
 * opened at all
 */
export function openIndexFile(path: string, options: IndexFileOptions): DatabaseSync {
  const first = tryOpen(path, options);
  if (first instanceof DatabaseSync) return first;
  const aside = setAside(path);
  options.report(
    new CacheError(
      "corrupt",
      `Cannot use the index "${path}": ${first.reason}, set aside as "${aside}", made anew`,
      { operation: "index.open", cause: first.cause, context: { aside } },
    ),
  );
  const second = tryOpen(path, options);
  if (second instanceof DatabaseSync) return second;
  throw new CacheError("internal", `Cannot make the index "${path}" anew: ${second.reason}`, {
    operation: "index.open",
    cause: second.cause,
  });
}

/** Sets a file aside with its journal; tells its new path. For `:memory:` there is nothing to do. */
export function setAside(path: string): string {
  if (path === ":memory:") return path;
  let n = 1;
  while (sizeOf(`${path}.damaged-${n}`) !== undefined) n++;
  const aside = `${path}.damaged-${n}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (sizeOf(path + suffix) === undefined) continue;
    try {
      renameSync(path + suffix, aside + suffix);
    } catch (error) {
      throw toCacheError(error, "index.open");
    }
  }
  return aside;
}

/**
 * Opens the file of a writer for reading.
 * @throws {CacheError} `unsupported` for another schema, `unavailable` when it is not there
 */
export function openForReading(path: string): DatabaseSync {
  const db = connect(path, true);
  try {
    db.prepare(`PRAGMA busy_timeout = ${BUSY_MS}`).get();
    const version = metaOf(db, "schema");
    if (version !== SCHEMA_VERSION) throw unsupported(path, version);
    return db;
  } catch (error) {
    db.close();
    throw sqliteError(error, "index.open");
  }
}

/**
 * What to call before a row is written: the first call lets the connection keep more pages. SQLite
 * shares the room of all connections of a process among them, so a server that is only read, or whose
 * file is being checked, would fill that of the writer.
 */
export function growsCache(db: DatabaseSync): () => void {
  let grown = false;
  return () => {
    if (grown) return;
    db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    grown = true;
  };
}

/** Reads a row of `meta`. */
export function metaOf(db: DatabaseSync, name: string): unknown {
  return db.prepare(`SELECT value FROM meta WHERE name = ?`).get(name)?.value;
}

/** How far the next start may trust the file: as it is, after a look, or not at all. */
export type Trust = "open" | "clean" | "damaged";
const TRUST: Readonly<Record<Trust, number>> = { open: 0, clean: 1, damaged: 2 };

/** Writes how far the next start may trust the file. */
export function setTrust(db: DatabaseSync, trust: Trust): void {
  db.prepare(`UPDATE meta SET value = ? WHERE name = 'trust'`).run(TRUST[trust]);
}

interface Unusable {
  readonly reason: string;
  readonly cause?: unknown;
}

function tryOpen(path: string, options: IndexFileOptions): DatabaseSync | Unusable {
  const db = connect(path, false);
  try {
    db.prepare(`PRAGMA busy_timeout = ${BUSY_MS}`).get();
    db.prepare(`PRAGMA journal_mode = WAL`).get();
    db.prepare(`PRAGMA synchronous = NORMAL`).run();
    if (db.prepare(`SELECT count(*) AS n FROM sqlite_master`).get()?.n === 0) {
      create(db, options.keys);
    }
    const reason = problemOf(db, path, options);
    if (reason === undefined) return db;
    db.close();
    return { reason };
  } catch (error) {
    db.close();
    // A table or column of ours that is missing is damage as well: the version said it is there.
    if (isDamage(error) || isMissingTable(error)) return { reason: "it is damaged", cause: error };
    throw sqliteError(error, "index.open");
  }
}

function connect(path: string, readOnly: boolean): DatabaseSync {
  try {
    return new DatabaseSync(path, { readOnly });
  } catch (error) {
    throw new CacheError("unavailable", `Cannot open the index "${path}": ${text(error)}`, {
      operation: "index.open",
      retry: "permanent",
      cause: error,
    });
  }
}

function create(db: DatabaseSync, keys: DomainKeys): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const statement of SCHEMA) db.prepare(statement).run();
    const insert = db.prepare(`INSERT INTO meta VALUES (?, ?)`);
    insert.run("schema", SCHEMA_VERSION);
    insert.run("index_id", toHex(crypto.getRandomValues(new Uint8Array(8))));
    insert.run("domain", domainOf(keys));
    insert.run("trust", TRUST.open);
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** Why the file must not be used; `undefined` if it may. */
function problemOf(
  db: DatabaseSync,
  path: string,
  options: IndexFileOptions,
): string | undefined {
  const version = metaOf(db, "schema");
  if (typeof version !== "number") return "it has no schema version";
  if (version > SCHEMA_VERSION) throw unsupported(path, version);
  if (version < SCHEMA_VERSION) return `its schema has version ${version}`;
  if (metaOf(db, "domain") !== domainOf(options.keys)) return "its ids were made with other keys";
  const trust = metaOf(db, "trust");
  if (trust === TRUST.damaged) return "a row of it was found damaged";
  return isLarge(path, options) ? undefined : contentProblem(db);
}

/** Whether a file that was just opened for writing has still to be checked. */
export function isUnchecked(
  db: DatabaseSync,
  path: string,
  options: Pick<IndexFileOptions, "checkFirstBytes">,
): boolean {
  return isLarge(path, options) && metaOf(db, "trust") !== TRUST.clean;
}

/** Checks the file of a writer, on any thread; what is wrong with it, or `undefined`. */
export function checkIndexFile(path: string): string | undefined {
  const db = openForReading(path);
  try {
    return contentProblem(db);
  } catch (error) {
    if (isDamage(error)) return text(error);
    throw error;
  } finally {
    db.close();
  }
}

function isLarge(
  path: string,
  { checkFirstBytes = CHECK_FIRST_BYTES }: Pick<IndexFileOptions, "checkFirstBytes">,
): boolean {
  return path !== ":memory:" && (sizeOf(path) ?? 0) > checkFirstBytes;
}

/** What is wrong with what it holds. Reads all of it. */
function contentProblem(db: DatabaseSync): string | undefined {
  const found = db.prepare(`PRAGMA integrity_check(1)`).get()?.integrity_check;
  if (found !== "ok") return "it fails SQLite's check";
  return totalsProblem(db) ?? rowProblem(db);
}

/** Totals are the one thing that no index of SQLite's guards. */
function totalsProblem(db: DatabaseSync): string | undefined {
  const wrong = db.prepare(
    `SELECT 1 FROM state WHERE entries <> (SELECT count(*) FROM entries WHERE state = 1)
       OR sequence < (SELECT coalesce(max(sequence), 0) FROM entries)
       OR (SELECT count(*) FROM names) <> (SELECT count(*) FROM entries)
       OR blobs <> (SELECT count(*) FROM visibility)
       OR logical_bytes <> (SELECT coalesce(sum(size), 0) FROM visibility)
       OR EXISTS (SELECT 1 FROM namespaces AS n
         WHERE (n.blobs, n.bytes) IS NOT (SELECT count(*), coalesce(sum(size), 0)
           FROM visibility WHERE namespace_no = n.no))
       OR EXISTS (SELECT 1 FROM spaces AS s WHERE s.entries <>
         (SELECT count(*) FROM entries WHERE space_no = s.no AND state = 1))`,
  ).get();
  const rows = Number(db.prepare(`SELECT count(*) AS n FROM state`).get()?.n);
  return wrong || rows !== 1 ? "its totals are wrong" : undefined;
}

/** Tells other keys apart without telling the keys. */
function domainOf(keys: DomainKeys): string {
  return toHex(namespaceId(keys, "index.sqlite"));
}

function unsupported(path: string, version: unknown): CacheError {
  return new CacheError(
    "unsupported",
    `Cannot open the index "${path}": its schema has version ${version}, want ${SCHEMA_VERSION}`,
    {
      operation: "index.open",
      hint: `use the program that made it, or delete the file: it is made anew from the log`,
      context: { version: Number(version), supported: SCHEMA_VERSION },
    },
  );
}

/** SQLITE_ERROR, which the check of a prepared statement of ours can only mean in this way. */
function isMissingTable(error: unknown): boolean {
  return error instanceof Error && (error as { errcode?: unknown }).errcode === 1;
}

/** Bytes of a file; `undefined` where there is none. */
export function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
