/**
 * The tables of `index.sqlite`. The file is a cache of the log: it may be deleted at any time.
 *
 * - `meta`: schema version, name of this file, whose keys made its ids, how far to trust it.
 * - `state`: one row of numbers that change with every transaction, and the log position up to
 *   which everything is in the tables.
 * - `namespaces`, `spaces`: short numbers for ids; `name` is sealed. A space is a (namespace, scope);
 *   its name is as an entry id's with no protocol and no key. With each stands what it holds: of a
 *   namespace the blobs that it sees, of a space its entries and the bytes of the blobs they name.
 * - `pins`: entries that are never evicted, body as in the log.
 * - `entries`: the newest record of each identity, body as in the log. `state` 1 is an entry, 0 a
 *   tombstone; `item` the name of this version in summaries.
 * - `names`: plain texts in their order, the only table that holds some. Only without a seal; with
 *   one it does not exist and the order of keys has to be made in memory from opened records.
 * - `visibility`: who may see which blob; `kind` as in a record's header.
 * - `sum` is the CRC-32 of what stands in its row and in no index of SQLite's besides, see
 *   `row_sum.ts`.
 * - `summaries`: what the items of a space hashed to at a sequence, see `core/summary/snapshot.ts`,
 *   `summary_gone`: items that went since.
 * - `replacements`: the newest of each entry, sealed like a record; `no` is the new one's sequence.
 */
export const SCHEMA_VERSION = 2;

/** Creates all tables. */
export const SCHEMA: readonly string[] = [
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID`,
  `CREATE TABLE state (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     sequence INTEGER NOT NULL, entries INTEGER NOT NULL,
     blobs INTEGER NOT NULL, logical_bytes INTEGER NOT NULL,
     live_bytes INTEGER NOT NULL, log_bytes INTEGER NOT NULL,
     segment INTEGER NOT NULL, offset INTEGER NOT NULL, hlc TEXT NOT NULL)`,
  `CREATE TABLE namespaces (no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, name BLOB NOT NULL,
     epoch INTEGER NOT NULL DEFAULT 0, blobs INTEGER NOT NULL DEFAULT 0,
     bytes INTEGER NOT NULL DEFAULT 0)`,
  `CREATE TABLE spaces (no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, namespace_no INTEGER NOT NULL,
     name BLOB NOT NULL, entries INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0)`,
  `CREATE TABLE pins (id BLOB PRIMARY KEY NOT NULL, body BLOB NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE entries (
     id BLOB PRIMARY KEY NOT NULL, space_no INTEGER NOT NULL, sequence INTEGER NOT NULL UNIQUE,
     state INTEGER NOT NULL, used INTEGER NOT NULL, item BLOB NOT NULL,
     sum INTEGER NOT NULL, record BLOB NOT NULL)`,
  `CREATE INDEX entries_item ON entries (space_no, item)`,
  `CREATE TABLE names (
     namespace BLOB NOT NULL, scope BLOB NOT NULL, protocol BLOB NOT NULL, key BLOB NOT NULL,
     id BLOB NOT NULL, sum INTEGER NOT NULL,
     PRIMARY KEY (namespace, scope, protocol, key)) WITHOUT ROWID`,
  `CREATE TABLE visibility (
     namespace_no INTEGER NOT NULL, id BLOB NOT NULL, kind INTEGER NOT NULL, size INTEGER NOT NULL,
     sum INTEGER NOT NULL, PRIMARY KEY (namespace_no, id)) WITHOUT ROWID`,
  `CREATE TABLE replacements (
     id BLOB NOT NULL, no INTEGER NOT NULL, body BLOB NOT NULL,
     PRIMARY KEY (id, no)) WITHOUT ROWID`,
  `INSERT INTO state VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0, '0')`,
];

/** What summaries need besides; made where it is missing, and no other table speaks of it. */
export const SUMMARY_SCHEMA: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS summaries (
     space_no INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, sum INTEGER NOT NULL,
     body BLOB NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS summary_gone (
     no INTEGER PRIMARY KEY, space_no INTEGER NOT NULL, sum INTEGER NOT NULL,
     item BLOB NOT NULL)`,
  `CREATE INDEX IF NOT EXISTS entries_tombstones ON entries (space_no) WHERE state = 0`,
];
