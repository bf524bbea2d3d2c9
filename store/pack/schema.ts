/** The tables of `packs.sqlite`: a cache of what segments and packs say themselves. */
import { DatabaseSync } from "node:sqlite";
import { CacheError } from "../../core/errors.ts";

/** The version of the tables; an older or newer file is rebuilt, nothing is lost with it. */
export const TABLES_VERSION = 1;

/** The file of the tables in the folder of a store. */
export const TABLES_FILE = "packs.sqlite";

const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
-- used: seconds since 1970, down to a 64th, so that sums of many of them stay exact.
CREATE TABLE location (
  kind INTEGER NOT NULL, id BLOB NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
  stored INTEGER NOT NULL, raw INTEGER NOT NULL, codec INTEGER NOT NULL, used INTEGER NOT NULL,
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX location_place ON location (segment, offset);
-- AUTOINCREMENT: a number is never used twice, also when the last row is gone.
CREATE TABLE segments (
  number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, area TEXT NOT NULL,
  state TEXT NOT NULL, size INTEGER NOT NULL, live_bytes INTEGER NOT NULL DEFAULT 0,
  live_records INTEGER NOT NULL DEFAULT 0, used_sum INTEGER NOT NULL DEFAULT 0,
  applied INTEGER NOT NULL, created INTEGER NOT NULL
);
CREATE TABLE quarantine (
  number INTEGER PRIMARY KEY, kind INTEGER, id BLOB, segment INTEGER NOT NULL,
  offset INTEGER NOT NULL, length INTEGER NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX quarantine_id ON quarantine (id);
CREATE TABLE totals (
  one INTEGER PRIMARY KEY CHECK (one = 1), records INTEGER NOT NULL, chunks INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL, raw_bytes INTEGER NOT NULL, quarantined INTEGER NOT NULL,
  segments INTEGER NOT NULL, disk_bytes INTEGER NOT NULL
);
INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0, 0, 0);
PRAGMA user_version = ${TABLES_VERSION};
`;

/** Facts about all records together; kept by the transaction that changes them. */
export interface PackTotals {
  /** Data records of all kinds. */
  readonly records: number;
  readonly chunks: number;
  /** Bytes of data records as they stand in segments, with their headers. */
  readonly stored_bytes: number;
  /** Bytes of the plain bodies. */
  readonly raw_bytes: number;
  /** Places that failed their check and were not replaced since. */
  readonly quarantined: number;
  readonly segments: number;
  /** Bytes on the medium: segments, packs and tables. */
  readonly disk_bytes: number;
}

/** Pages (4 KiB) of the log of the tables before they are copied into the tables. */
const LOG_PAGES = { least: 64, most: 1000 };

/**
 * Opens the tables for writing, and makes them when the file is new. `maxSize` is that of the
 * store: in a small one the log of the tables stays below 1 % of it.
 * @throws {CacheError} `corrupt` when it has tables of another version; what SQLite throws
 */
export function openTablesFile(path: string, maxSize = Infinity): DatabaseSync {
  const share = Math.floor(maxSize / 100 / 4096);
  const pages = Math.max(LOG_PAGES.least, Math.min(LOG_PAGES.most, share));
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    // The log of the tables is cut back to this after a check point: it counts as disk.
    db.exec(`PRAGMA wal_autocheckpoint = ${pages}; PRAGMA journal_size_limit = ${pages * 4096};`);
    db.exec("PRAGMA temp_store = FILE");
    const version = db.prepare("PRAGMA user_version").get()?.["user_version"];
    if (version === 0) db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
    else if (version !== TABLES_VERSION) {
      throw new CacheError(
        "corrupt",
        `Cannot use the tables "${path}": they have version ${version}, want ${TABLES_VERSION}`,
        { operation: "pack.open" },
      );
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Reads the totals, from any connection. */
export function readTotals(db: DatabaseSync): PackTotals {
  const row = db.prepare(
    "SELECT records, chunks, stored_bytes, raw_bytes, quarantined, segments, disk_bytes FROM totals",
  ).get();
  return { ...row } as unknown as PackTotals;
}
