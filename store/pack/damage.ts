/** Bytes that are not what they should be are set aside, counted and told. */
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { DataKind } from "../../core/record.ts";
import type { Pack } from "./pack.ts";
import { recordBytes } from "./places.ts";
import type { SegmentRow } from "./places.ts";

/** A place that failed its check. */
export interface DamagedPlace {
  /** Missing where not even the header could be read. */
  readonly kind?: DataKind | undefined;
  readonly id?: Bytes | undefined;
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * Takes away the row of a damaged record, so that it is a miss and can be stored again, and keeps
 * a note of the place. Tells whether a record was lost by it.
 */
export function noteDamage(pack: Pack, place: DamagedPlace): boolean {
  const { tables, options } = pack;
  const { kind, id, segment, offset, length } = place;
  const row = { kind, id, segment, offset, length, at: options.clock.now() };
  const [lost, isNew] = tables.transaction(() => {
    const lost = kind !== undefined && id !== undefined && tables.remove(kind, id, place);
    return [lost !== false && lost !== undefined, tables.quarantine(row)];
  });
  if (isNew) {
    options.counters.add("quarantined");
    pack.report({ type: "damage", row });
  }
  if (lost) {
    options.counters.add("losses");
    const error = new CacheError("unavailable", "Cannot commit: a record it relied on is damaged", {
      operation: "pack.commit",
    });
    pack.holdings.lost(kind!, id!, error);
  }
  return lost;
}

/**
 * The bytes of a segment are not there any more: none of its records is, whatever the tables say.
 * All of them are noted at once, lest one is taken for stored until somebody wants to read it.
 */
export function noteGone(pack: Pack, segment: SegmentRow): void {
  for (const row of pack.tables.rowsOf(segment.number)) {
    noteDamage(pack, { ...row, length: recordBytes(row) });
  }
  noteDamage(pack, { segment: segment.number, offset: 0, length: segment.size });
}
