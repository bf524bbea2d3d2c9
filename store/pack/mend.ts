/** Moves what is good out of segments that hold damage, which then go. */
import { throwIfAborted } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import { dropSegment } from "./drop.ts";
import { moveForward, recordsOf } from "./move.ts";
import { roll } from "./pack.ts";
import type { Pack } from "./pack.ts";
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
  const all = () => {
    const { rows, pending } = recordsOf(pack, segment);
    return [...rows, ...pending];
  };
  if (source) await moveForward(pack, source, all());
  // What came to be needed meanwhile keeps it for the next time.
  await dropSegment(pack, segment, () => source !== undefined && all().length > 0);
}

/** Whether a damaged place is known in the log. */
export function isLogDamaged({ tables }: Pack): boolean {
  const log = new Set(tables.segments("log").map(({ number }) => number));
  return tables.quarantined().some(({ segment }) => log.has(segment));
}
