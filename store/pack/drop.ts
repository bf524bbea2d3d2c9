/** Takes a segment away: rows first, then its bytes. */
import { packError } from "./errors.ts";
import { reportFailure } from "./pack.ts";
import type { Pack } from "./pack.ts";
import type { SegmentRow } from "./places.ts";
import { segmentFileName } from "./segment_files.ts";
import { objectKey } from "./segment_bytes.ts";

/**
 * Removes a segment with everything that still points to it; tells how many records that were,
 * `undefined` when `keep` says no at the last moment (nothing else runs between that and the
 * removal). When its bytes can not be deleted now, they are at the next start.
 */
export async function dropSegment(
  pack: Pack,
  segment: SegmentRow,
  keep: () => boolean = () => false,
): Promise<number | undefined> {
  pack.fault("drop.before_tables");
  if (keep()) return undefined;
  const lost = pack.tables.transaction(() => {
    const lost = pack.tables.removeAll(segment.number);
    const { size, applied } = segment;
    pack.tables.setSegment(segment.number, { state: "dropping", size, applied });
    return lost;
  }, { durable: true });
  if (lost > 0) pack.options.counters.add("losses", lost);
  await deleteDropped(pack, segment);
  return lost;
}

/** Deletes the bytes of a segment that is `dropping`, and then its row. */
export async function deleteDropped(pack: Pack, segment: SegmentRow): Promise<void> {
  const { tables, options } = pack;
  try {
    options.onRetire?.([segment.number]);
    pack.fault("drop.before_delete");
    pack.files.remove(segmentFileName(segment.name));
    await options.objects.delete([objectKey(segment)]);
    pack.fault("drop.after_delete");
    tables.transaction(() => {
      tables.forgetQuarantine(segment.number);
      tables.deleteSegment(segment.number);
    });
    pack.restBytes -= segment.size;
    pack.credit.bytes += segment.size;
  } catch (thrown) {
    reportFailure(pack, "drop", packError(thrown, "delete", `segment "${segment.name}"`));
  }
}
