/** Moves what is good out of segments that hold damage, which then go. */
import { scanRecords } from "../../codec/record_scan.ts";
import { SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import { throwIfAborted } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import { dropSegment } from "./drop.ts";
import { localCopy } from "./local_copy.ts";
import { moveForward, recordsOf } from "./move.ts";
import { roll, seconds } from "./pack.ts";
import type { Pack } from "./pack.ts";
import type { SegmentRow } from "./places.ts";
import { isDataKind } from "./recover.ts";
import { openSegment } from "./segment_bytes.ts";

/**
 * Rewrites every data segment in which a damaged place is known, without it: else it would be found
 * again by every look, and by every rebuild of the tables.
 * @throws {CacheError} `quota_exceeded` without room for what moves; what moved stays moved
 */
export async function mendData(pack: Pack, { signal }: SignalOptions = {}): Promise<void> {
  const damaged = new Set(pack.tables.quarantined().map(({ segment }) => segment));
  for (const number of damaged) {
    throwIfAborted(signal);
    await pack.jobs.run(() => mendOne(pack, number));
  }
}

async function mendOne(pack: Pack, number: number): Promise<void> {
  if (pack.active.data.number === number) roll(pack, "data");
  const segment = pack.tables.segment(number);
  if (!segment || segment.area !== "data" || segment.state === "dropping") return;
  using source = openSegment({ files: pack.files, objects: pack.options.objects }, segment);
  if (source) await findAgain(pack, segment);
  const all = () => {
    const { rows, pending } = recordsOf(pack, segment);
    return [...rows, ...pending];
  };
  if (source) await moveForward(pack, source, all());
  // What came to be needed meanwhile keeps it for the next time.
  await dropSegment(pack, segment, () => source !== undefined && all().length > 0);
}

/**
 * Makes rows for good records that have none: where it was the row that was wrong, the record is
 * still there. One that was collected comes back with them, and goes with the next collection. All
 * of the file is read: where another one stands in its place, the row tells nothing of its length.
 */
async function findAgain(pack: Pack, segment: SegmentRow): Promise<void> {
  const { tables, files, options: { objects } } = pack;
  using copy = await localCopy({ files, objects }, segment);
  if (!copy) return;
  tables.transaction(() => {
    for (const event of scanRecords(copy.read, SEGMENT_HEADER_BYTES, copy.size)) {
      if (event.type !== "record") continue;
      const { kind, id, codec, storedLength: stored, rawLength: raw } = event.header;
      if (!isDataKind(kind) || pack.holdings.get(kind, id)) continue;
      const place = { segment: segment.number, offset: event.offset, stored, raw, codec };
      tables.insert({ ...place, kind, id, used: seconds(pack) });
    }
  });
}

/** Whether a damaged place is known in the log. */
export function isLogDamaged({ tables }: Pack): boolean {
  const log = new Set(tables.segments("log").map(({ number }) => number));
  return tables.quarantined().some(({ segment }) => log.has(segment));
}
