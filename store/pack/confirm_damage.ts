/** What a reader took for damage is looked at once more before anything is given up. */
import { noteDamage, noteGone } from "./damage.ts";
import type { DamagedPlace } from "./damage.ts";
import { isGood } from "./is_good.ts";
import type { Pack } from "./pack.ts";
import { recordBytes, samePlace } from "./places.ts";
import { openSegment } from "./segment_bytes.ts";

/**
 * Reads a place again, since a reader may have met a moment's trouble or a record on its way, and
 * quarantines it if it still is not what its row says.
 * @throws {CacheError} `unavailable` when the medium does not answer: nothing is known then
 */
export async function confirmDamage(pack: Pack, place: DamagedPlace): Promise<void> {
  const { tables, files, options: { objects } } = pack;
  const { kind, id } = place;
  if (!kind || !id) return;
  const row = tables.find(kind, id);
  if (!row || row.segment !== place.segment || row.offset !== place.offset) return;
  const segment = tables.segment(row.segment);
  using source = segment && openSegment({ files, objects }, segment);
  if (segment && !source) return noteGone(pack, segment);
  const read = await source?.read(row.offset, recordBytes(row));
  const now = tables.find(kind, id);
  if (!now || !samePlace(now, row)) return;
  if (read && isGood(read, { ...row, kind, id })) return;
  noteDamage(pack, { ...place, length: recordBytes(row) });
}
