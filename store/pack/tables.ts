/** What the writer does to the tables; every change is part of a transaction. */
// size: one statement each for all that changes the tables, which belong together
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { kindOfNumber } from "../../codec/record.ts";
import type { SegmentKind } from "../../codec/segment.ts";
import type { Bytes } from "../../core/digest.ts";
import type { KnownBlobsWriter } from "../../core/known_blobs.ts";
import type { OpenRows } from "../../core/rows_behind.ts";
import { eachIn } from "../../core/id_pages.ts";
import { IdRun } from "./id_run.ts";
import type { PackFacts } from "../../core/policy.ts";
import type { DataKind } from "../../core/record.ts";
import { KIND_NUMBER } from "../../core/record.ts";
import type { Place, SegmentRow, SegmentState } from "./places.ts";
import { recordBytes } from "./places.ts";
import { readTotals } from "./schema.ts";
import type { PackTotals } from "./schema.ts";
import { SQL } from "./sql.ts";

/** Rows after which a transaction is committed: a commit of so many takes about 5 ms. */
const MAX_OPEN_ROWS = 1024;

/** A record as its row has it. */
export interface LocatedRecord extends Place {
  readonly kind: DataKind;
  readonly id: Bytes;
  /** Seconds since 1970, down to a 64th. */
  readonly used: number;
}

/** A data segment that may go to make room. */
export interface Victim extends PackFacts {
  readonly number: number;
  readonly name: string;
  /** Records that are alive in it. */
  readonly records: number;
}

/** A place that failed its check; `kind` and `id` are missing where not even they could be read. */
export interface QuarantineRow {
  readonly kind: DataKind | undefined;
  readonly id: Bytes | undefined;
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Rows and totals of `packs.sqlite`. */
export class Tables {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #shifts = new Map<number, { bytes: number; records: number; used: number }>();
  #totals: PackTotals;
  /** The totals that a transaction which fails goes back to. */
  #before: PackTotals;
  #inside = false;
  /** Rows of rounds that were over before their transaction was committed. */
  #open: LocatedRecord[] = [];
  /** Whether a failure has taken them away, so that they have to be inserted again. */
  #rolledBack = false;
  /** The totals of the last commit. */
  #committed: PackTotals;
  #holds = 0;
  /** Lets rounds leave their transaction open. Default: none does. */
  openRows: OpenRows | undefined;
  /** Told of chunks that come and go, as soon as a transaction holds. */
  known: KnownBlobsWriter | undefined;
  readonly #toTell: ((known: KnownBlobsWriter) => void)[] = [];
  /** Chunks that came, as long as nothing else is to be told behind them. */
  #came: { readonly ids: IdRun; readonly tell: (known: KnownBlobsWriter) => void } | undefined;

  constructor(db: DatabaseSync) {
    this.db = db;
    this.#totals = this.#before = this.#committed = readTotals(db);
  }

  /** The totals as of the last commit, or as changed by the transaction that is running. */
  get totals(): PackTotals {
    return this.#totals;
  }

  /**
   * Runs `change` in one transaction: all of it or nothing. `durable` also waits for the disk;
   * without it the change may be lost with the power, and is found again in the segments.
   *
   * `adds`: it only inserts records that stand in a segment behind what the committed tables know
   * of it. It may then stay open until a later one is committed, see {@linkcode OpenRows}. What a
   * failure takes away of such rows is inserted again by the next transaction.
   */
  transaction<T>(change: () => T, options: { durable?: boolean; adds?: boolean } = {}): T {
    if (this.#inside) throw new TypeError("Cannot begin a transaction within another");
    if (options.durable) {
      this.commit();
      this.db.exec("PRAGMA synchronous = FULL");
    }
    const acknowledged = this.#open.length;
    this.#inside = true;
    try {
      this.#begin();
      const before = this.#before = this.#totals;
      const result = change();
      this.#flushTotals(before);
      if (options.adds && this.#mayStayOpen()) this.openRows!.opened();
      else this.#end();
      for (const tell of this.#toTell) tell(this.known!);
      return result;
    } catch (error) {
      this.#totals = this.#committed;
      this.#shifts.clear();
      this.#open.length = acknowledged;
      this.#rolledBack = acknowledged > 0;
      // SQLite has rolled back by itself after some errors (a full disk).
      if (this.db.isTransaction) this.db.exec("ROLLBACK");
      throw error;
    } finally {
      this.#toTell.length = 0;
      this.#came = undefined;
      this.#inside = false;
      if (options.durable) this.db.exec("PRAGMA synchronous = NORMAL");
    }
  }

  /** Commits what is open. @throws what SQLite throws; nothing is lost then */
  commit(): void {
    if (this.#inside || (!this.db.isTransaction && !this.#rolledBack)) return;
    this.transaction(() => {});
  }

  /** Until the result is disposed of, each transaction is committed at once. */
  closed(): Disposable {
    this.commit();
    this.#holds++;
    return { [Symbol.dispose]: () => void this.#holds-- };
  }

  #begin(): void {
    if (this.db.isTransaction) return;
    this.db.exec("BEGIN IMMEDIATE");
    if (!this.#rolledBack) return;
    const before = this.#before = this.#totals;
    const lost = this.#open;
    this.#open = [];
    try {
      for (const record of lost) this.insert(record);
      this.#flushTotals(before);
    } finally {
      this.#open = lost;
    }
  }
  #end(): void {
    this.db.exec("COMMIT");
    this.#committed = this.#totals;
    this.#open = [];
    this.#rolledBack = false;
    this.openRows?.committed();
  }
  #mayStayOpen(): boolean {
    return this.openRows !== undefined && this.#holds === 0 && !this.#rolledBack &&
      this.#open.length < MAX_OPEN_ROWS && this.#totals.quarantined === 0 &&
      this.openRows.mayWait();
  }

  find(kind: DataKind, id: Uint8Array): (Place & { readonly used: number }) | undefined {
    return this.#get("find", KIND_NUMBER[kind], id) as
      | (Place & { readonly used: number })
      | undefined;
  }

  /** Whether there is a row; what was never here costs no look-up. */
  has(kind: DataKind, id: Uint8Array): boolean {
    if (kind === "chunk" && this.known?.lacks(id)) return false;
    return this.find(kind, id) !== undefined;
  }

  /** Adds a row unless there is one for this record; tells whether it did. */
  insert(record: LocatedRecord): boolean {
    const { kind, id, segment, offset, stored, raw, codec, used } = record;
    const number = KIND_NUMBER[kind];
    const run = this.#run("insert", number, id, segment, offset, stored, raw, codec, used);
    if (run.changes === 0) return false;
    if (this.openRows) this.#open.push(record);
    this.#count(record, 1);
    this.#shift(segment, recordBytes(record), 1, used);
    if (this.known && kind === "chunk") this.#tellCame(id);
    if (this.#totals.quarantined > 0) this.#heal(number, id);
    return true;
  }

  #tellCame(id: Uint8Array): void {
    if (!this.#came || this.#toTell.at(-1) !== this.#came.tell) {
      const ids = new IdRun();
      const tell = (known: KnownBlobsWriter) => ids.each((one) => known.locate(one));
      this.#came = { ids, tell };
      this.#toTell.push(tell);
    }
    this.#came.ids.add(id);
  }

  /** Lets a record stand elsewhere, if it still stands at `from`; tells whether it did. */
  move(record: Pick<LocatedRecord, "kind" | "id">, from: Place, to: Place): boolean {
    const row = this.find(record.kind, record.id);
    if (!row || row.segment !== from.segment || row.offset !== from.offset) return false;
    const number = KIND_NUMBER[record.kind];
    this.#run("place", to.segment, to.offset, to.stored, to.codec, number, record.id);
    this.#shift(from.segment, -recordBytes(from), -1, -row.used);
    this.#shift(to.segment, recordBytes(to), 1, row.used);
    this.#total({ stored_bytes: to.stored - from.stored });
    return true;
  }

  /** Removes the row of a record, if it stands at `at` (default: anywhere). */
  remove(kind: DataKind, id: Bytes, at?: Pick<Place, "segment" | "offset">): Place | undefined {
    const row = this.find(kind, id);
    if (!row || (at && (row.segment !== at.segment || row.offset !== at.offset))) return undefined;
    this.#run("remove", KIND_NUMBER[kind], id);
    if (this.known && kind === "chunk") this.#toTell.push((known) => known.lose(id));
    this.#count({ ...row, kind }, -1);
    this.#shift(row.segment, -recordBytes(row), -1, -row.used);
    return row;
  }

  /** Notes a use; an older one than the row has changes nothing. */
  use(kind: DataKind, id: Uint8Array, seconds: number): void {
    const row = this.find(kind, id);
    if (!row || row.used >= seconds) return;
    this.#run("use", seconds, KIND_NUMBER[kind], id);
    this.#shift(row.segment, 0, 0, seconds - row.used);
  }

  /** Removes all rows of a segment; tells how many there were. */
  removeAll(segment: number): number {
    const live = this.#get("live", segment) as Record<
      "records" | "chunks" | "stored" | "raw",
      number
    >;
    if (this.known) {
      const ids = (this.#get("chunksOf", segment)?.["ids"] ?? new Uint8Array(0)) as Bytes;
      this.#toTell.push((known) => eachIn(ids, (id) => known.lose(id)));
    }
    this.#run("removeAll", segment);
    this.#shifts.delete(segment);
    this.#run("empty", segment);
    this.#total({
      records: -live.records,
      chunks: -live.chunks,
      stored_bytes: -live.stored,
      raw_bytes: -live.raw,
    });
    return live.records;
  }

  /** Ids of chunks behind `after`, one behind the other, in their order; empty at the end. */
  chunkIds(after: Bytes | undefined, limit: number): Bytes {
    const row = this.#get("chunkIds", after ?? new Uint8Array(0), limit);
    return (row?.["ids"] ?? new Uint8Array(0)) as Bytes;
  }

  /** Records of a segment in the order of their places, from an offset on. */
  rowsOf(segment: number, from = 0, limit = -1): LocatedRecord[] {
    return this.#statement("rows").all(segment, from, limit).map(locatedRecord);
  }
  /** Records of a segment that were used later than `used`, in no order. */
  usedSince(segment: number, used: number): LocatedRecord[] {
    return this.#statement("usedSince").all(segment, used).map(locatedRecord);
  }

  /** Adds a segment; without a number it gets the next one, which is told. */
  addSegment(
    row: Omit<SegmentRow, "number" | "live_bytes" | "live_records"> & {
      readonly number?: number | undefined;
    },
  ): number {
    const { number = null, name, area, state, size, applied, created } = row;
    const run = this.#run("addSegment", number, name, area, state, size, applied, created);
    this.#total({ segments: 1 });
    return Number(run.lastInsertRowid);
  }
  setSegment(number: number, to: { state: SegmentState; size: number; applied: number }): void {
    this.#run("setSegment", to.state, to.size, to.applied, number);
  }
  deleteSegment(number: number): void {
    if (this.#run("deleteSegment", number).changes > 0) this.#total({ segments: -1 });
  }
  segment(number: number): SegmentRow | undefined {
    return this.#get("segment", number) as SegmentRow | undefined;
  }
  segments(area?: SegmentKind): SegmentRow[] {
    const rows = this.#statement("segments").all() as unknown as SegmentRow[];
    return area ? rows.filter((row) => row.area === area) : rows;
  }
  /** Data segments that can go, the oldest first. */
  victims(): Victim[] {
    return this.#statement("victims").all() as unknown as Victim[];
  }
  /** The average last use of all data records, seconds since 1970; 0 if there are none. */
  averageUse(): number {
    return (this.#get("averageUse")?.["used"] ?? 0) as number;
  }

  meta(key: string): number | undefined {
    return this.#get("getMeta", key)?.["value"] as number | undefined;
  }
  setMeta(key: string, value: number): void {
    this.#run("setMeta", key, value);
  }

  /** Notes a place that failed its check; tells whether it is new. */
  quarantine(row: QuarantineRow): boolean {
    if (this.#get("damaged", row.segment, row.offset)) return false;
    const kind = row.kind ? KIND_NUMBER[row.kind] : null;
    this.#run("damage", kind, row.id ?? null, row.segment, row.offset, row.length, row.at);
    this.#total({ quarantined: 1 });
    return true;
  }
  quarantined(): QuarantineRow[] {
    return this.#statement("quarantine").all().map((row) => ({
      ...row,
      kind: row["kind"] === null ? undefined : kindOfNumber(row["kind"] as number),
      id: row["id"] ?? undefined,
    })) as unknown as QuarantineRow[];
  }
  /** Forgets damaged places of a segment that is gone. */
  forgetQuarantine(segment: number): void {
    this.#total({ quarantined: -Number(this.#run("forget", segment).changes) });
  }
  /** Sets what only the writer can know. */
  setDiskBytes(bytes: number): void {
    this.#totals = { ...this.#totals, disk_bytes: bytes };
  }

  close(): void {
    if (this.db.isOpen) this.db.close();
  }

  #heal(kind: number, id: Uint8Array): void {
    this.#total({ quarantined: -Number(this.#run("heal", id, kind).changes) });
  }
  #count(record: Pick<LocatedRecord, "kind" | "stored" | "raw">, sign: 1 | -1): void {
    this.#total({
      records: sign,
      chunks: record.kind === "chunk" ? sign : 0,
      stored_bytes: sign * recordBytes(record),
      raw_bytes: sign * record.raw,
    });
  }
  #total(change: Partial<Record<keyof PackTotals, number>>): void {
    if (!this.#inside) throw new TypeError("Cannot change the tables outside a transaction");
    // Copied once a transaction: those of before it must stay as they were.
    if (this.#totals === this.#before) this.#totals = { ...this.#before };
    const totals: Record<keyof PackTotals, number> = this.#totals;
    for (const name in change) {
      totals[name as keyof PackTotals] += change[name as keyof PackTotals]!;
    }
  }
  #shift(segment: number, bytes: number, records: number, used: number): void {
    const shift = this.#shifts.get(segment);
    if (!shift) this.#shifts.set(segment, { bytes, records, used });
    else {
      shift.bytes += bytes;
      shift.records += records;
      shift.used += used;
    }
  }
  #flushTotals(before: PackTotals): void {
    for (const [segment, { bytes, records, used }] of this.#shifts) {
      this.#run("shift", bytes, records, used, segment);
    }
    this.#shifts.clear();
    if (this.#totals === before) return;
    const { records, chunks, stored_bytes, raw_bytes, quarantined, segments, disk_bytes } =
      this.#totals;
    const values = [records, chunks, stored_bytes, raw_bytes, quarantined, segments, disk_bytes];
    this.#run("totals", ...values);
  }
  #statement(name: keyof typeof SQL): StatementSync {
    let statement = this.#statements.get(name);
    if (!statement) this.#statements.set(name, statement = this.db.prepare(SQL[name]));
    return statement;
  }
  #get(name: keyof typeof SQL, ...values: SQLInputValue[]) {
    return this.#statement(name).get(...values);
  }
  #run(name: keyof typeof SQL, ...values: SQLInputValue[]) {
    return this.#statement(name).run(...values);
  }
}

function locatedRecord(row: Record<string, unknown>): LocatedRecord {
  return { ...row, kind: kindOfNumber(row["kind"] as number) } as unknown as LocatedRecord;
}
