/** How records of an upload are taken in: held first, then written, each once. */
import type { DataRecord } from "../../core/record.ts";
import type { Upload } from "./holdings.ts";
import { place, plainStored } from "./pack.ts";
import type { Pack } from "./pack.ts";

/** Lets an upload hold a record, without writing it. */
export function admit(pack: Pack, upload: Upload, record: DataRecord): void {
  const hasRow = () => pack.tables.has(record.kind, record.id);
  pack.holdings.hold(upload, record, hasRow);
}

/** The records of a list that stand nowhere yet, each once. */
export function unwritten(pack: Pack, records: readonly DataRecord[]): DataRecord[] {
  const seen = new Set<number>();
  return records.filter((record) => {
    const holding = pack.holdings.get(record.kind, record.id);
    if (holding?.state !== "new" || seen.has(holding.row)) return false;
    seen.add(holding.row);
    return true;
  });
}

/** Writes records and notes where their holdings stand. */
export function writeHeld(
  pack: Pack,
  records: readonly DataRecord[],
  before: "append.before_write" | "commit.before_write",
): void {
  const stored = records.map(plainStored);
  const places = place(pack, stored, { area: "data", before });
  records.forEach(({ kind, id }, i) => {
    const holding = pack.holdings.get(kind, id)!;
    holding.state = "pending";
    holding.place = places[i]!;
  });
}
