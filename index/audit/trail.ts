/** The audit as its one writer sees it: rows go to a file, the log keeps what a crash takes. */
import { closeSync, fdatasyncSync, ftruncateSync, openSync, unlinkSync, writeSync } from "node:fs";
import { placeOfRow } from "../../codec/audit_record.ts";
import type { AuditPlace } from "../../codec/audit_record.ts";
import { encodeMark, isMark } from "../../codec/audit_record.ts";
import { encodeHeader } from "../../codec/record.ts";
import { scanRecords } from "../../codec/record_scan.ts";
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import type { CacheError } from "../../core/errors.ts";
import type { LogPort, LogPosition, PlainRecord } from "../../core/record.ts";
import { auditError, auditFiles, auditPath, makeAuditFolder, openAuditFile } from "./files.ts";
import { syncFolder } from "./files.ts";
import type { AuditFile } from "./files.ts";
import { mendFile } from "./mend.ts";

/** How large the audit may get. */
export interface AuditLimits {
  /** Bytes at which a file is full. */
  readonly fileBytes: number;
  /** Bytes of all files; the oldest go first. */
  readonly totalBytes: number;
}

/** Options of {@linkcode openTrail}. */
export interface TrailOptions {
  readonly dir: string;
  readonly limits: AuditLimits;
  /** Hears of rows that could not be written; they are again, from the log. */
  readonly report: (error: CacheError) => void;
}

/** A row that is ready, with its clock. */
export interface ReadyRow {
  readonly hlc: bigint;
  readonly record: PlainRecord<"audit">;
}

/** Makes rows of what the log holds behind a position; see `from_log.ts`. */
export type RowsOfLog = (log: LogPort, after: AuditPlace) => AsyncIterable<ReadyRow>;

const NOWHERE: AuditPlace = { hlc: 0n, position: { segment: 0, offset: 0 } };

/** Opens the files and cuts a torn end off. @throws {CacheError} what the system threw */
export function openTrail(options: TrailOptions): AuditTrail {
  makeAuditFolder(options.dir);
  try {
    return new AuditTrail(options);
  } catch (thrown) {
    throw auditError(thrown, "open");
  }
}

/**
 * Appends rows. They are not synced: what the disk loses stands in the log as notes, which are
 * durable, until a compaction, and before that {@linkcode AuditTrail.sync} is called. Clocks grow
 * from row to row, so that rows made again from the log are told from those that are here.
 */
export class AuditTrail {
  readonly #options: TrailOptions;
  /** Full files, the oldest first. */
  readonly #full: AuditFile[];
  #number: number;
  #file: number;
  #end: number;
  #last: AuditPlace;
  #behind = false;
  #closed = false;

  /** Use {@linkcode openTrail}. */
  constructor(options: TrailOptions) {
    this.#options = options;
    const files = auditFiles(options.dir);
    const active = files.pop() ?? { number: 1, path: auditPath(options.dir, 1), size: 0 };
    this.#full = files;
    this.#number = active.number;
    this.#file = openSync(active.path, "a+", 0o600);
    closeSync(this.#file);
    // Not in append mode: Linux would ignore positions.
    this.#file = openSync(active.path, "r+");
    let found = lastOf(active, { newest: true });
    this.#end = found.end;
    if (found.end < active.size) ftruncateSync(this.#file, found.end);
    for (let n = files.length - 1; !found.place && n >= 0; n--) found = lastOf(files[n]!);
    this.#last = found.place ?? NOWHERE;
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#full.reduce((sum, { size }) => sum + size, this.#end);
  }
  /** The newest row. */
  get last(): AuditPlace {
    return this.#last;
  }
  /** Whether rows are missing that the log has. */
  get behind(): boolean {
    return this.#behind;
  }

  /**
   * Appends rows of changes that are durable in the log. Never throws: what can not be written
   * (a full disk) is reported and written later, by {@linkcode AuditTrail.catchUp}.
   */
  append(rows: readonly ReadyRow[]): void {
    const newest = rows.at(-1);
    if (this.#behind || !newest) return;
    try {
      this.#write(rows.map(({ record }) => record));
      this.#last = placeOfRow(newest.record);
      if (this.#end >= this.#options.limits.fileBytes) this.#rotate();
    } catch (thrown) {
      this.#behind = true;
      this.#options.report(auditError(thrown, "append"));
    }
  }

  /**
   * Writes what the log has and the files have not.
   * @throws {CacheError} what can not be written, and what reading the log throws; the files are
   * behind then, for a newer row must not hide what is missing in front of it
   */
  async catchUp(log: LogPort, rowsOf: RowsOfLog): Promise<void> {
    this.#behind = false;
    try {
      let rows: ReadyRow[] = [];
      for await (const row of rowsOf(log, this.#last)) {
        rows.push(row);
        if (rows.length < 1000) continue;
        this.#appendAll(rows);
        rows = [];
      }
      this.#appendAll(rows);
    } catch (thrown) {
      this.#behind = true;
      throw thrown;
    }
  }

  /** Notes that everything up to here is in the files, where {@linkcode sync} has put it before. */
  mark(position: LogPosition): void {
    if (this.#behind) return;
    const record = encodeMark({ hlc: this.#last.hlc, position });
    this.append([{ hlc: this.#last.hlc, record }]);
  }

  /** Makes all rows durable. @throws {CacheError} what the system threw */
  sync(): void {
    try {
      fdatasyncSync(this.#file);
    } catch (thrown) {
      throw auditError(thrown, "sync");
    }
  }

  /**
   * Cuts damage out of all files. The newest one is closed first: the others are never written.
   * @throws {CacheError} what the system threw
   */
  mend(): void {
    try {
      if (this.#end > 0) this.#rotate();
      for (const [n, file] of this.#full.entries()) {
        this.#full[n] = { ...file, size: mendFile(file) };
      }
      syncFolder(this.#options.dir);
    } catch (thrown) {
      throw auditError(thrown, "mend");
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }

  #appendAll(rows: readonly ReadyRow[]): void {
    this.append(rows);
    if (this.#behind) throw auditError(new Error("its disk does not take them"), "append");
  }

  #write(records: readonly PlainRecord[]): void {
    const parts = records.flatMap(({ kind, id, body }) => [
      encodeHeader({ kind, id, codec: 0, stored: body, rawLength: body.length }),
      body,
    ]);
    const bytes = concat(parts);
    try {
      for (let at = 0; at < bytes.length;) {
        at += writeSync(this.#file, bytes, at, bytes.length - at, this.#end + at);
      }
    } catch (error) {
      ftruncateSync(this.#file, this.#end);
      throw error;
    }
    this.#end += bytes.length;
  }

  #rotate(): void {
    const { dir, limits } = this.#options;
    fdatasyncSync(this.#file);
    const file = openSync(auditPath(dir, this.#number + 1), "wx+", 0o600);
    syncFolder(dir);
    closeSync(this.#file);
    const number = this.#number;
    this.#full.push({ number, path: auditPath(dir, number), size: this.#end });
    this.#file = file;
    this.#number++;
    this.#end = 0;
    while (this.bytes > limits.totalBytes - limits.fileBytes && this.#full.length > 1) {
      unlinkSync(this.#full.shift()!.path);
    }
  }
}

/**
 * The newest place of a file, and where its good records end. Of the newest file a power cut may
 * have kept later pages without earlier ones: damage that no mark follows ends it, since the log
 * still has all that came behind the last mark.
 */
function lastOf(
  { path, size }: AuditFile,
  { newest = false } = {},
): { place: AuditPlace | undefined; end: number } {
  using file = openAuditFile(path);
  let last: Bytes | undefined;
  let end = 0;
  let gap: { readonly before: Bytes | undefined; readonly offset: number } | undefined;
  for (const event of file ? scanRecords(file.read, 0, size) : []) {
    if (event.type === "tail") end = event.offset;
    else if (event.type === "damage") gap ??= { before: last, offset: event.offset };
    else {
      last = event.stored;
      if (isMark({ body: last })) gap = undefined;
    }
  }
  const body = newest && gap ? gap.before : last;
  return { place: body && placeOfRow({ body }), end: newest && gap ? gap.offset : end };
}
