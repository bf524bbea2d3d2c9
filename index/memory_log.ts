/** A log in memory, for tests and for a store that lives in memory only. */
import { RECORD_HEADER_BYTES } from "../codec/record.ts";
import { CacheError } from "../core/errors.ts";
import type { LogPort, LogPosition, LogRecord } from "../core/record.ts";

interface Row {
  readonly record: LogRecord;
  readonly position: LogPosition;
}

/**
 * Keeps records in memory and is as strict as a log on a disk: positions grow, one call lands in
 * one segment, bodies are copied, and two writes at a time or a write while compacting throw.
 */
export class MemoryLog implements LogPort {
  #rows: Row[] = [];
  #end: LogPosition = { segment: 1, offset: 0 };
  #busy = false;

  async append(records: readonly LogRecord[]): Promise<LogPosition> {
    this.#begin("append");
    try {
      await Promise.resolve(); // as a disk would, so that callers meet a write in flight
      const { rows, end } = place(records, this.#end);
      for (const row of rows) this.#rows.push(row);
      this.#end = end;
      return end;
    } finally {
      this.#busy = false;
    }
  }

  async *scan(
    after?: LogPosition,
  ): AsyncIterable<{ record: LogRecord; position: LogPosition }> {
    if (after && comparePositions(after, this.#end) > 0) {
      throw new CacheError(
        "invalid_argument",
        `Cannot read the log behind ${after.segment}:${after.offset}: it ends before, ` +
          `want at most ${this.#end.segment}:${this.#end.offset}`,
        { operation: "log.scan" },
      );
    }
    // The rows of this moment: compact makes a new array, append only adds behind the last.
    const rows = this.#rows;
    const count = rows.length;
    for (let at = 0; at < count; at++) {
      const row = rows[at]!;
      if (after && comparePositions(row.position, after) <= 0) continue;
      yield { record: copied(row.record), position: row.position };
    }
  }

  end(): LogPosition {
    return this.#end;
  }

  async compact(records: Iterable<LogRecord>): Promise<LogPosition> {
    this.#begin("compact");
    try {
      await Promise.resolve();
      const { rows, end } = place(records, { segment: this.#end.segment + 1, offset: 0 });
      this.#rows = rows;
      this.#end = end;
      return end;
    } finally {
      this.#busy = false;
    }
  }

  /** How many records it holds. */
  get size(): number {
    return this.#rows.length;
  }

  #begin(what: string): void {
    if (this.#busy) throw new TypeError(`Cannot ${what} the log: another write is in flight`);
    this.#busy = true;
  }
}

/** Negative, zero or positive as `a` stands before, at, or behind `b`. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.segment - b.segment || a.offset - b.offset;
}

function place(
  records: Iterable<LogRecord>,
  start: LogPosition,
): { rows: Row[]; end: LogPosition } {
  const rows: Row[] = [];
  let end = start;
  for (const record of records) {
    if (record.id.length !== 32) throw new RangeError("Cannot append a record: want a 32-byte id");
    end = { segment: end.segment, offset: end.offset + RECORD_HEADER_BYTES + record.body.length };
    rows.push({ record: copied(record), position: end });
  }
  return { rows, end };
}

function copied(record: LogRecord): LogRecord {
  return { kind: record.kind, id: record.id.slice(), body: record.body.slice() };
}
