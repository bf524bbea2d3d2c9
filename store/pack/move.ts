/** Moves records forward: out of a segment that is about to go, into the active one. */
import type { StoredRecord } from "../../codec/record.ts";
import type { Bytes } from "../../core/digest.ts";
import type { DataKind } from "../../core/record.ts";
import { noteDamage } from "./damage.ts";
import { breathe } from "./jobs.ts";
import { place, sync } from "./pack.ts";
import type { Pack } from "./pack.ts";
import { recordBytes, samePlace } from "./places.ts";
import type { Place, SegmentRow } from "./places.ts";
import { isGood } from "./is_good.ts";
import { checkRecord } from "./segment_bytes.ts";
import type { SegmentBytes } from "./segment_bytes.ts";

/** Bytes that are moved between two turns of everybody else. */
const MOVE_BYTES = 1024 * 1024;

/** A record that is to move: one with a row, or one that an open upload holds. */
export interface Movable extends Place {
  readonly kind: DataKind;
  readonly id: Bytes;
}

/**
 * Writes records again behind the active data segment, byte for byte, makes them durable and
 * points to them there. Damaged ones are quarantined and stay. Tells the bytes moved.
 * @throws {CacheError} `quota_exceeded`, `unavailable`; what was moved before stays moved
 */
export async function moveForward(
  pack: Pack,
  source: SegmentBytes,
  records: readonly Movable[],
): Promise<number> {
  let moved = 0;
  for (let next = 0; next < records.length;) {
    const batch: { from: Movable; record: StoredRecord }[] = [];
    for (let bytes = 0; next < records.length && bytes < MOVE_BYTES; next++) {
      const from = records[next]!;
      const read = source.read(from.offset, recordBytes(from));
      const found = read instanceof Uint8Array ? read : await read;
      const checked = checkRecord(found, from);
      bytes += recordBytes(from);
      if (!checked || (pack.options.verifyReads && !isGood(found, from))) {
        noteDamage(pack, { ...from, length: recordBytes(from) });
        continue;
      }
      const { kind, id, codec, raw: rawLength } = from;
      batch.push({ from, record: { kind, id, codec, rawLength, stored: checked.stored } });
    }
    moved += rewrite(pack, batch);
    await breathe();
  }
  return moved;
}

function rewrite(pack: Pack, batch: readonly { from: Movable; record: StoredRecord }[]): number {
  // Some may have gone or moved while a far medium was read.
  const still = batch.filter(({ from }) => standsAt(pack, from));
  if (still.length === 0) return 0;
  const options = { area: "data", before: "move.before_write" } as const;
  const places = place(pack, still.map(({ record }) => record), options);
  pack.fault("move.before_sync");
  sync(pack, "data");
  pack.fault("move.before_tables");
  pack.tables.transaction(() => {
    still.forEach(({ from }, i) => pack.tables.move(from, from, places[i]!));
  });
  still.forEach(({ from }, i) => {
    const holding = pack.holdings.get(from.kind, from.id);
    if (holding?.state === "pending" && samePlace(holding.place, from)) {
      holding.place = places[i]!;
    }
  });
  pack.fault("move.after_tables");
  return places.reduce((sum, to) => sum + recordBytes(to), 0);
}

function standsAt(pack: Pack, from: Movable): boolean {
  const holding = pack.holdings.get(from.kind, from.id);
  if (holding?.state === "pending") return samePlace(holding.place, from);
  const row = pack.tables.find(from.kind, from.id);
  return row !== undefined && samePlace(row, from);
}

/** All records that stand in a segment: those with a row, then those that open uploads hold. */
export function recordsOf(
  pack: Pack,
  segment: Pick<SegmentRow, "number">,
): { rows: (Movable & { readonly used: number })[]; pending: Movable[] } {
  const pending = pack.holdings.pendingIn(segment.number);
  return {
    rows: pack.tables.rowsOf(segment.number),
    pending: pending.map(({ kind, id, place }) => ({ kind, id, ...place })),
  };
}
