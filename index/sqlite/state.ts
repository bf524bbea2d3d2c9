/** The one row of numbers that every transaction leaves right. */
import type { DatabaseSync } from "node:sqlite";
import type { LogPosition } from "../../core/record.ts";
import type { IndexTotals } from "../contract.ts";

/** Numbers of an index file; those of a transaction count only once it is committed. */
export interface IndexState {
  /** The newest change's. */
  sequence: number;
  entries: number;
  blobs: number;
  logicalBytes: number;
  /** Bytes that all that is alive would need in a log, about. */
  liveBytes: number;
  /** Bytes of the records in the log. */
  logBytes: number;
  /** Everything up to here is in the tables. */
  position: LogPosition;
  /** The greatest hybrid logical clock seen in any record. */
  hlc: bigint;
}

/** Reads the row. */
export function readState(db: DatabaseSync): IndexState {
  const row = db.prepare(`SELECT * FROM state`).get();
  if (!row) throw new TypeError("Cannot read the index: it has no state row");
  return {
    sequence: Number(row.sequence),
    entries: Number(row.entries),
    blobs: Number(row.blobs),
    logicalBytes: Number(row.logical_bytes),
    liveBytes: Number(row.live_bytes),
    logBytes: Number(row.log_bytes),
    position: { segment: Number(row.segment), offset: Number(row.offset) },
    hlc: BigInt(String(row.hlc)),
  };
}

/** Makes the function that writes the row, inside a transaction. */
export function stateWriter(db: DatabaseSync): (state: IndexState) => void {
  const update = db.prepare(
    `UPDATE state SET sequence = ?, entries = ?, blobs = ?, logical_bytes = ?, live_bytes = ?,
       log_bytes = ?, segment = ?, offset = ?, hlc = ? WHERE one = 1`,
  );
  return (state) => {
    const { segment, offset } = state.position;
    const { sequence, entries, blobs, logicalBytes, liveBytes, logBytes } = state;
    // As text: SQLite's integers have a sign bit, and a hybrid logical clock needs all 64.
    const hlc = state.hlc.toString();
    update.run(sequence, entries, blobs, logicalBytes, liveBytes, logBytes, segment, offset, hlc);
  };
}

/** Makes the function that answers `totals()`: one row, read anew each time. */
export function totalsReader(db: DatabaseSync): () => IndexTotals {
  const select = db.prepare(`SELECT entries, blobs, logical_bytes FROM state`);
  return () => {
    const row = select.get();
    return {
      entries: Number(row?.entries ?? 0),
      blobs: Number(row?.blobs ?? 0),
      logical_bytes: Number(row?.logical_bytes ?? 0),
    };
  };
}
