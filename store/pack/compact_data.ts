/** Closes the gaps that a collection leaves: packs that are mostly dead are written anew. */
import { throwIfAborted } from "../../core/abort.ts";
import type { GoingPack } from "../../core/cache.ts";
import { formatShare } from "../../core/units.ts";
import { deleteDropped, dropSegment } from "./drop.ts";
import { moveForward, recordsOf } from "./move.ts";
import type { Pack } from "./pack.ts";
import type { SegmentRow } from "./places.ts";
import { openSegment } from "./segment_bytes.ts";

/** A data pack of which less than this share is alive is rewritten. */
const LIVE_SHARE = 0.5;

/** What a rewriting of packs did, or would do. */
export interface Compacted {
  /** Bytes of the packs that went, less what was moved out of them. */
  readonly freed_bytes: number;
  readonly packs: readonly GoingPack[];
}

/** Rewrites data packs that are mostly dead; tells which, and the bytes won. */
export async function compactData(pack: Pack, signal?: AbortSignal): Promise<Compacted> {
  let freed_bytes = 0;
  const packs: GoingPack[] = [];
  for (const { number } of pack.tables.segments()) {
    throwIfAborted(signal);
    const done = await pack.jobs.run(() => compactOne(pack, number));
    if (!done) continue;
    freed_bytes += done.freed;
    packs.push(done.went);
  }
  return { freed_bytes, packs };
}

/** The same in advance: `dead` are the bytes that are about to go from each segment. */
export function planCompaction(pack: Pack, dead: ReadonlyMap<number, number>): Compacted {
  const packs = pack.tables.segments().flatMap((segment) => {
    const alive = segment.live_bytes - (dead.get(segment.number) ?? 0);
    return isMostlyDead(segment, alive) ? [going(segment, alive)] : [];
  });
  return { freed_bytes: packs.reduce((sum, { bytes, alive }) => sum + bytes - alive, 0), packs };
}

async function compactOne(
  pack: Pack,
  number: number,
): Promise<{ freed: number; went: GoingPack } | undefined> {
  const segment = pack.tables.segment(number);
  // Its bytes could not be deleted when it was dropped.
  if (segment?.state === "dropping") await deleteDropped(pack, segment);
  if (!segment || !isMostlyDead(segment)) return undefined;
  const moved = await moveAll(pack, segment);
  // What came to be needed meanwhile, or could not be read now, keeps the segment for now.
  const lost = await dropSegment(pack, segment, () => isNeeded(pack, segment));
  return lost === undefined
    ? undefined
    : { freed: Math.max(0, segment.size - moved), went: going(segment, segment.live_bytes) };
}

function isMostlyDead(segment: SegmentRow, alive = segment.live_bytes): boolean {
  if (segment.area !== "data" || (segment.state !== "sealed" && segment.state !== "full")) {
    return false;
  }
  return alive < segment.size * LIVE_SHARE;
}

function going({ name, size: bytes }: SegmentRow, alive: number): GoingPack {
  return {
    pack: name,
    bytes,
    alive,
    reason: alive > 0 ? `only ${formatShare(alive / bytes)} alive` : "nothing in it is alive",
  };
}

async function moveAll(pack: Pack, segment: SegmentRow): Promise<number> {
  using source = openSegment({ files: pack.files, objects: pack.options.objects }, segment);
  if (!source) return 0;
  const { rows, pending } = recordsOf(pack, segment);
  return await moveForward(pack, source, [...rows, ...pending]);
}

function isNeeded(pack: Pack, segment: SegmentRow): boolean {
  const { rows, pending } = recordsOf(pack, segment);
  return rows.length + pending.length > 0;
}
