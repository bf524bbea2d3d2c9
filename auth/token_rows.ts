/**
 * `auth.sqlite`: one row a token, kept for ever, so that a name always means the same writer.
 *
 * ```
 * meta(server_key)           the public key that tokens and seals belong to
 * tokens(id, name, turn,     16 hex; the name; 1, and one more with each rotation
 *        kind, hash, psk,    issued | brought; SHA-256(secret); sealed pre-shared key
 *        verbs, namespaces, scope, read_scopes,             lists as JSON
 *        created, expires, revoked, last_used,              milliseconds since 1970 or NULL
 *        mac)                vouches for all but last_used, see `row_mac.ts`
 * changes(…)                 what happened to them, see `token_changes.ts`
 * ```
 */
import { DatabaseSync } from "node:sqlite";
import type { Bytes } from "../core/digest.ts";
import { CacheError, toCacheError } from "../core/errors.ts";
import type { ErrorKind } from "../core/errors.ts";
import type { TokenInfo } from "../core/token_admin.ts";
import type { Verb } from "../core/policy.ts";
import { equalBytes } from "../core/bytes.ts";
import type { RowMac, TokenRow } from "./row_mac.ts";
import { CHANGES_SCHEMA } from "./token_changes.ts";

/** A token as the store holds it. */
export interface StoredToken {
  readonly info: TokenInfo;
  /** SHA-256 of the secret. */
  readonly hash: Bytes;
}

/** What a new row holds besides what everybody may see. */
export interface RowSecrets {
  readonly hash: Bytes;
  readonly psk: Bytes;
}

/** Rows of version 1 had no `mac`. */
const VERSION = 2;
const BUSY_MS = 5_000;
const SCHEMA = `
CREATE TABLE meta (server_key BLOB NOT NULL) STRICT;
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  turn INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('issued', 'brought')),
  hash BLOB NOT NULL,
  psk BLOB NOT NULL,
  verbs TEXT NOT NULL,
  namespaces TEXT NOT NULL,
  scope TEXT NOT NULL,
  read_scopes TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER,
  revoked INTEGER,
  last_used INTEGER,
  mac BLOB,
  UNIQUE (name, turn)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_live ON tokens (name) WHERE revoked IS NULL;
`;

/**
 * Opens the database, making it with mode 0600 if there is none.
 * @throws {CacheError} `invalid_argument` when it was made with another server key,
 * `unsupported` for another version, `corrupt`
 */
export function openDatabase(
  path: string,
  { serverKey, mac }: { readonly serverKey: Bytes; readonly mac: RowMac },
): DatabaseSync {
  createPrivate(path);
  const database = translate("open", path, () => new DatabaseSync(path, { timeout: BUSY_MS }));
  try {
    translate("open", path, () => {
      run(database, "PRAGMA journal_mode = WAL");
      run(database, "PRAGMA synchronous = FULL");
      transaction(database, () => migrate(database, path, { serverKey, mac }));
    });
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

/** Runs `work` in one transaction that has the write lock from its beginning. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  run(database, "BEGIN IMMEDIATE");
  try {
    const result = work();
    run(database, "COMMIT");
    return result;
  } catch (thrown) {
    // A failed COMMIT (disk full) may have ended the transaction by itself.
    if (database.isTransaction) run(database, "ROLLBACK");
    throw thrown;
  }
}

/** Runs `work` and turns SQLite's errors into ours, by their codes. */
export function translate<T>(verb: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof CacheError) throw thrown;
    const code = (thrown as { errcode?: unknown }).errcode;
    const kind = typeof code === "number" ? kindOf(code % 256) : "internal";
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    throw new CacheError(kind, `Cannot ${verb} the tokens in "${path}": ${text}`, {
      operation: `token_store.${verb}`,
      cause: thrown,
    });
  }
}

/** A row that nothing vouches for, as a list shows it: it may do nothing, and nobody gets in by it. */
export function damagedToken(row: TokenRow): TokenInfo {
  return {
    id: String(row.id),
    name: String(row.name),
    kind: row.kind === "brought" ? "brought" : "issued",
    verbs: [],
    namespaces: [],
    scope: "main",
    readScopes: [],
    created: Number(row.created),
    expires: undefined,
    revoked: row.revoked === null ? undefined : Number(row.revoked),
    lastUsed: undefined,
  };
}

/** A row of `SELECT *` that is as it was written, as the store's callers see it. */
export function rowToToken(row: TokenRow): StoredToken {
  const optional = (value: unknown) => value === null ? undefined : Number(value);
  return {
    info: {
      id: String(row.id),
      name: String(row.name),
      kind: row.kind === "brought" ? "brought" : "issued",
      verbs: JSON.parse(String(row.verbs)) as Verb[],
      namespaces: JSON.parse(String(row.namespaces)) as string[],
      scope: String(row.scope),
      readScopes: JSON.parse(String(row.read_scopes)) as string[],
      created: Number(row.created),
      expires: optional(row.expires),
      revoked: optional(row.revoked),
      lastUsed: optional(row.last_used),
    },
    hash: row.hash as Bytes,
  };
}

/** Adds a row, vouched for. */
export function insertToken(
  database: DatabaseSync,
  info: TokenInfo,
  { hash, psk, turn, mac }: RowSecrets & { readonly turn: number; readonly mac: RowMac },
): void {
  database.prepare(`
    INSERT INTO tokens (id, name, turn, kind, hash, psk, verbs, namespaces, scope, read_scopes,
      created, expires, revoked, last_used)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)`).run(
    info.id,
    info.name,
    turn,
    info.kind,
    hash,
    psk,
    JSON.stringify(info.verbs),
    JSON.stringify(info.namespaces),
    info.scope,
    JSON.stringify(info.readScopes),
    info.created,
    info.expires ?? null,
  );
  vouch(database, info.id, mac);
}

/** Unlike `exec`, a statement's errors carry the code that {@linkcode translate} goes by. */
function run(database: DatabaseSync, sql: string): void {
  database.prepare(sql).get();
}

function createPrivate(path: string): void {
  try {
    // SQLite gives its WAL and shared-memory files the mode of the database.
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.AlreadyExists)) {
      throw toCacheError(thrown, "token_store.open");
    }
  }
}

function migrate(
  database: DatabaseSync,
  path: string,
  { serverKey, mac }: { readonly serverKey: Bytes; readonly mac: RowMac },
): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  if (version === 0) {
    database.exec(SCHEMA + CHANGES_SCHEMA);
    database.prepare("INSERT INTO meta (server_key) VALUES (?)").run(serverKey);
    database.exec(`PRAGMA user_version = ${VERSION}`);
    return;
  }
  if (version !== 1 && version !== VERSION) {
    throw new CacheError(
      "unsupported",
      `Cannot open the tokens in "${path}": version ${version}, want ${VERSION}`,
      { operation: "token_store.open", hint: "use a newer vitte-remote-cache" },
    );
  }
  database.exec(CHANGES_SCHEMA);
  const made = database.prepare("SELECT server_key FROM meta").get()?.server_key;
  if (!(made instanceof Uint8Array) || !equalBytes(made, serverKey)) {
    throw new CacheError(
      "invalid_argument",
      `Cannot open the tokens in "${path}": they were made with another server.key`,
      {
        operation: "token_store.open",
        hint: "restore the server.key that belongs to auth.sqlite, or move both away to start anew",
      },
    );
  }
  // The last of all: rows that another key made are not vouched for with ours.
  if (version === 1) vouchForAll(database, mac);
}

function vouchForAll(database: DatabaseSync, mac: RowMac): void {
  database.exec("ALTER TABLE tokens ADD COLUMN mac BLOB");
  for (const { id } of database.prepare("SELECT id FROM tokens").all()) {
    vouch(database, String(id), mac);
  }
  database.exec(`PRAGMA user_version = ${VERSION}`);
}

/** Vouches for a row as it stands; for whoever has just written it. */
export function vouch(database: DatabaseSync, id: string, mac: RowMac): void {
  const row = database.prepare("SELECT * FROM tokens WHERE id = ?").get(id)!;
  database.prepare("UPDATE tokens SET mac = ? WHERE id = ?").run(mac.of(row), id);
}

// Primary result codes: https://www.sqlite.org/rescode.html
function kindOf(code: number): ErrorKind {
  switch (code) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
    case 10: // SQLITE_IOERR
    case 14: // SQLITE_CANTOPEN
      return "unavailable";
    case 8: // SQLITE_READONLY
      return "permission_denied";
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return "corrupt";
    case 13: // SQLITE_FULL
      return "quota_exceeded";
    default:
      return "internal";
  }
}
