/** Changes of the tables, inside transactions of the one writer. */
// size: everything that changes a row, and the one transaction that it stands in
import type { DatabaseSync } from "node:sqlite";
import { BLOB_ROW_BYTES, namedBytes } from "../../codec/clear_part.ts";
import type { BlobRow } from "../../codec/clear_part.ts";
import { itemIdOfRecord } from "../../codec/entry_record.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import type { KeepChange } from "../../codec/keep_record.ts";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import type { Bytes } from "../../core/digest.ts";
import type { EntryId, EntryKey, Stamp } from "../../core/entry.ts";
import type { KnownBlobsWriter } from "../../core/known_blobs.ts";
import { KIND_NUMBER } from "../../core/record.ts";
import type { LogRecord, PlainRecord } from "../../core/record.ts";
import type { OpenRows } from "../../core/rows_behind.ts";
import { translated } from "./errors.ts";
import { nameWriter } from "./names.ts";
import { prepareNumbers } from "./numbers.ts";
import type { Numbers } from "./numbers.ts";
import { growsCache } from "./open_file.ts";
import { prepareReplacements } from "./replacements.ts";
import { recordSum, visibleSum } from "./row_sum.ts";
import { readState, stateWriter } from "./state.ts";
import type { IndexState } from "./state.ts";
import { Summaries } from "./summaries.ts";
import { NO_ITEM } from "./summary_items.ts";

/** A new version of an identity, with its record. */
export interface VersionChange {
  readonly record: PlainRecord<"entry" | "tombstone">;
  readonly key: EntryKey;
  readonly stamp: Stamp;
  readonly sequence: number;
  /** Whether it is known that no version stands there. Default: it is looked for. */
  readonly fresh?: boolean | undefined;
}

/** Blobs that a namespace sees from here on, or no longer. */
export interface VisibleChange {
  readonly namespace: string;
  readonly linked: boolean;
  readonly blobs: readonly BlobRow[];
  /** Whether it is known that the namespace sees none of them. Default: it is looked for. */
  readonly fresh?: boolean | undefined;
}

/** How an entry is kept from here on, with its record. */
export interface KeptChange {
  readonly record: PlainRecord<"pin">;
  readonly change: KeepChange;
}

/** What may be done inside {@linkcode Changes.transaction}. */
export interface Transaction {
  /** Numbers as they will be; to be changed in place. */
  readonly state: IndexState;
  /** Takes the place of whatever version stands there. */
  putVersion(change: VersionChange): void;
  putVisibility(change: VisibleChange): void;
  /** Remembers a replacement; `no` is the sequence of the new version. */
  noteReplacement(id: EntryId, no: number, sealed: Bytes): void;
  noteUse(id: EntryId, at: number): void;
  /** Drops all that is known of an identity. */
  forget(id: EntryId, key: EntryKey): void;
  /** Pins an entry, lets a pin go, or lets the entry go. */
  keep(change: KeptChange): void;
}

/** The tables as their one writer sees them. */
export interface Changes {
  /** Numbers as of the last committed transaction. */
  readonly state: Readonly<IndexState>;
  /** What the tables hash to; it is told of every change. */
  readonly summaries: Summaries;
  /** The greatest epoch of any version in the namespace; 0 if there is none. */
  epochOf(namespace: string): number;
  /** The sealed replacements of an entry, newest first. */
  replacementsOf(id: EntryId): Bytes[];
  /** Tells this table, from now on, who sees which blob, as soon as a transaction holds. */
  tell(known: KnownBlobsWriter): void;
  /** All namespaces of the tables. */
  namespaces(): { readonly no: number; readonly name: string }[];
  /** What each namespace and space holds. */
  readonly shares: Pick<Numbers, "shares" | "known" | "knownSpace" | "watch">;
  /** Records of all pins. */
  pins(): LogRecord[];
  /**
   * Runs `work` in one transaction and commits, or changes nothing.
   *
   * `adds`: it only adds rows where nothing stood. It may then stay open until a later one is
   * committed, see {@linkcode OpenRows}; when that fails, all of them are gone from the tables and
   * `state` is what it was before them, so that the log has to be replayed from there.
   * @throws {CacheError} what SQLite threw, translated
   */
  transaction<T>(work: (transaction: Transaction) => T, options?: { adds?: boolean }): T;
  /** Commits what is open. @throws {CacheError} as `transaction` */
  commit(): void;
}

/** What may be open: a commit of so much takes about 10 ms. */
const MAX_OPEN = { records: 1024, bytes: 4 * 1024 * 1024 };

/** Bytes of a visible blob's row in a log that is written anew. */
const VISIBLE_BYTES = BLOB_ROW_BYTES;

/** Prepares all statements that change something. */
export function prepareChanges(
  db: DatabaseSync,
  context: RecordContext,
  openRows?: OpenRows,
): Changes {
  const begin = db.prepare(`BEGIN IMMEDIATE`);
  const commit = db.prepare(`COMMIT`);
  const rollback = db.prepare(`ROLLBACK`);
  const writeState = stateWriter(db);
  const numbers = prepareNumbers(db, context);
  const names = nameWriter(db);
  const replacements = prepareReplacements(db);
  const pins = preparePins(db);
  const oldVersion = db.prepare(
    `SELECT state, space_no, item, record FROM entries WHERE id = ?`,
  );
  const upsert = db.prepare(
    `INSERT INTO entries (id, space_no, sequence, state, used, item, sum, record)
     VALUES (?, ?, ?, ?, 0, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, state = excluded.state,
       item = excluded.item, sum = excluded.sum, record = excluded.record`,
  );
  const remove = db.prepare(`DELETE FROM entries WHERE id = ?`);
  const use = db.prepare(`UPDATE entries SET used = ?2 WHERE id = ?1 AND used < ?2`);
  const oldSize = db.prepare(`SELECT size FROM visibility WHERE namespace_no = ? AND id = ?`);
  const link = db.prepare(`INSERT OR REPLACE INTO visibility VALUES (?, ?, ?, ?, ?)`);
  const unlink = db.prepare(`DELETE FROM visibility WHERE namespace_no = ? AND id = ?`);
  const toTell: { readonly no: number; readonly change: VisibleChange }[] = [];
  const summaries = translated("index.open", () => new Summaries(db));
  const growCache = growsCache(db);
  let watcher: KnownBlobsWriter | undefined;
  let state = translated("index.open", () => readState(db));
  /** As of the last commit. */
  let committed = state;

  /** Takes a version that goes out of the totals; tells its space and item. */
  function uncount(next: IndexState, id: EntryId): { space: number; item: Bytes } | undefined {
    const old = oldVersion.get(id);
    if (!old) return undefined;
    const record = old.record as Bytes;
    const space = Number(old.space_no);
    if (old.state === 1) {
      next.entries--;
      numbers.hold(numbers.spaceOf(space), -1, -namedBytes(record));
    }
    next.liveBytes -= RECORD_HEADER_BYTES + record.length;
    return { space, item: old.item as Bytes };
  }

  function putVersion(next: IndexState, change: VersionChange): void {
    const { record, key, stamp, sequence } = change;
    growCache();
    const space = numbers.space(key);
    numbers.raiseEpoch(key.namespace, stamp.epoch);
    const alive = record.kind === "entry";
    const old = change.fresh ? undefined : uncount(next, record.id);
    if (!old) names.insert(key, record.id);
    const item = alive || !summaries.isBelow(record.body)
      ? itemIdOfRecord(context.keys, record.body)
      : NO_ITEM;
    const sum = recordSum(record.body);
    upsert.run(record.id, space.no, sequence, alive ? 1 : 0, item, sum, record.body);
    summaries.changed(space.no, { came: item, went: old?.item });
    if (alive) {
      next.entries++;
      numbers.hold(space, 1, namedBytes(record.body));
    } else pins.remove(record.id);
    next.liveBytes += RECORD_HEADER_BYTES + record.body.length;
    if (sequence > next.sequence) next.sequence = sequence;
    if (stamp.hlc > next.hlc) next.hlc = stamp.hlc;
  }

  function putVisibility(next: IndexState, change: VisibleChange): void {
    growCache();
    const namespace = numbers.namespace(change.namespace);
    const { no } = namespace;
    toTell.push({ no, change });
    for (const { id, kind, size } of change.blobs) {
      const old = change.fresh ? undefined : oldSize.get(no, id);
      if (old) {
        next.blobs--;
        next.logicalBytes -= Number(old.size);
        numbers.see(namespace, -1, -Number(old.size));
        next.liveBytes -= VISIBLE_BYTES;
      }
      if (change.linked) {
        const row = { no, kind: KIND_NUMBER[kind], size };
        link.run(no, id, row.kind, size, visibleSum(id, row));
        next.blobs++;
        next.logicalBytes += size;
        numbers.see(namespace, 1, size);
        next.liveBytes += VISIBLE_BYTES;
      } else if (old) unlink.run(no, id);
    }
  }

  function forget(next: IndexState, id: EntryId, key: EntryKey): void {
    const old = uncount(next, id);
    if (!old) return;
    remove.run(id);
    summaries.changed(old.space, { went: old.item });
    names.remove(key);
    replacements.forget(id);
    pins.remove(id);
  }

  function keep(next: IndexState, { record, change }: KeptChange): void {
    if (change.what === "pinned") pins.put(record.id, record.body);
    else pins.remove(record.id);
    if (change.what === "let_go") forget(next, record.id, change.key);
  }

  function mayStayOpen(next: IndexState): boolean {
    return openRows !== undefined && next.sequence - committed.sequence < MAX_OPEN.records &&
      next.logBytes - committed.logBytes < MAX_OPEN.bytes && openRows.mayWait();
  }

  function transaction<T>(
    work: (transaction: Transaction) => T,
    { adds = false }: { adds?: boolean } = {},
  ): T {
    const next: IndexState = { ...state };
    return translated("index.write", () => {
      if (!db.isTransaction) begin.run();
      try {
        const result = work({
          state: next,
          putVersion: (change) => putVersion(next, change),
          putVisibility: (change) => putVisibility(next, change),
          noteReplacement: (id, no, sealed) => replacements.note(id, no, sealed),
          noteUse: (id, at) => void use.run(id, at),
          forget: (id, key) => forget(next, id, key),
          keep: (change) => keep(next, change),
        });
        numbers.store();
        writeState(next);
        const staysOpen = adds && mayStayOpen(next);
        if (staysOpen) openRows!.opened();
        else commit.run();
        state = next;
        if (!staysOpen) {
          committed = state;
          openRows?.committed();
        }
        tell();
        numbers.tell();
        return result;
      } catch (error) {
        state = committed;
        numbers.clear();
        // SQLite itself rolls back after some errors, such as a full disk.
        if (db.isTransaction) rollback.run();
        summaries.rolledBack();
        throw error;
      } finally {
        toTell.length = 0;
      }
    });
  }

  /** All threads at once, before anybody is told that a change holds. */
  function tell(): void {
    if (!watcher) return;
    for (const { no, change: { linked, blobs } } of toTell) {
      for (const { id, kind } of blobs) {
        if (linked) watcher.show(no, id, kind !== "chunk");
        else watcher.hide(no, id);
      }
    }
  }

  return {
    tell: (known) => void (watcher = known),
    get state() {
      return state;
    },
    summaries,
    epochOf: (namespace) => numbers.known(namespace)?.epoch ?? 0,
    replacementsOf: (id) => replacements.of(id),
    namespaces: () => numbers.namespaces(),
    shares: numbers,
    pins: () => pins.all(),
    transaction,
    commit: () => void (db.isTransaction && transaction(() => {})),
  };
}

function preparePins(db: DatabaseSync) {
  const put = db.prepare(`INSERT OR REPLACE INTO pins VALUES (?, ?)`);
  const remove = db.prepare(`DELETE FROM pins WHERE id = ?`);
  const select = db.prepare(`SELECT id, body FROM pins ORDER BY id`);
  return {
    put: (id: EntryId, body: Bytes) => void put.run(id, body),
    remove: (id: EntryId) => void remove.run(id),
    all: (): LogRecord[] =>
      select.all().map((row) => ({ kind: "pin", id: row.id as Bytes, body: row.body as Bytes })),
  };
}
