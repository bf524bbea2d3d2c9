/** Makes room: the pack that the policy names goes as a whole, what is hot in it moves forward. */
import { dropSegment } from "./drop.ts";
import { CacheError } from "../../core/errors.ts";
import type { Evictable } from "../../core/policy.ts";
import { moveForward, recordsOf } from "./move.ts";
import type { Movable } from "./move.ts";
import type { Pack } from "./pack.ts";
import { recordBytes } from "./places.ts";
import type { SegmentRow } from "./places.ts";
import { openSegment } from "./segment_bytes.ts";
import type { LocatedRecord, Victim } from "./tables.ts";
import { flushTouches } from "./touches.ts";

/** Of a victim at most this share moves because it is hot: else evicting would free too little. */
const HOT_SHARE = 0.5;
/** Candidates that are passed over because more of them is hot; then the coldest goes anyhow. */
const MAX_PASSED_OVER = 8;
/** A victim of which open uploads and pins need more than this is left alone. */
const HELD_SHARE = 0.5;
/** The same where pins leave no other: moving nine parts to free one is better than no room. */
const PINNED_SHARE = 0.9;
/** Held records from which on it costs less to look at the rows of the segment. */
const MANY_HELD = 1000;

/** Takes one data pack away; tells whether there was one. Runs as a job. */
export async function evictOne(pack: Pack): Promise<boolean> {
  pack.fault("evict.begin");
  flushTouches(pack);
  const hot: { segment: SegmentRow; reason: string }[] = [];
  const pinned: { segment: SegmentRow; reason: string }[] = [];
  for (const { pack: { number }, reason } of nextToGo(pack)) {
    const segment = pack.tables.segment(number);
    if (!segment) continue;
    const held = heldBytes(pack, segment);
    if (held > segment.size * HELD_SHARE) {
      const worth = pack.pins.size > 0 && held <= segment.size * PINNED_SHARE;
      if (worth) pinned.push({ segment, reason });
      continue;
    }
    if (hot.length < MAX_PASSED_OVER && isHot(pack, segment)) hot.push({ segment, reason });
    else if (await evict(pack, segment, reason)) return true;
  }
  for (const { segment, reason } of hot) {
    if (await evict(pack, segment, `${reason}, and others are hotter`)) return true;
  }
  for (const { segment, reason } of pinned) {
    if (await evict(pack, segment, `${reason}, and of others more is pinned`)) return true;
  }
  return false;
}

/** Packs that may go, the first in front, each with its reason. */
export function nextToGo({ tables, options }: Pack): Evictable<Victim>[] {
  return options.policy.evictionOrder(tables.victims(), options.clock.now());
}

async function evict(pack: Pack, segment: SegmentRow, reason: string): Promise<boolean> {
  const { counters } = pack.options;
  const moved = await keepNeeded(pack, segment);
  if (moved === undefined) return false;
  const lost = await dropSegment(pack, segment, () => heldRecords(pack, segment).length > 0);
  if (lost === undefined) return false;
  counters.add("evicted_segments");
  counters.add("evicted_bytes", segment.size);
  const { name, size: bytes } = segment;
  pack.report({ type: "evicted", segment: name, bytes, lost, moved, reason });
  return true;
}

/** Moves what must or should survive; `undefined` when something held can not be moved. */
async function keepNeeded(pack: Pack, segment: SegmentRow): Promise<number | undefined> {
  using source = openSegment({ files: pack.files, objects: pack.options.objects }, segment);
  // A pack that is gone from its medium has nothing to keep.
  if (!source) return 0;
  let moved = 0;
  try {
    moved += await moveForward(pack, source, hotRecords(pack, segment));
  } catch (error) {
    // On a full disk the hot records go with the rest: room now is worth more.
    if (!(error instanceof CacheError)) throw error;
  }
  try {
    // While some move, an upload may come to rely on others: look again until there are none.
    for (let held = heldRecords(pack, segment); held.length > 0;) {
      moved += await moveForward(pack, source, held);
      const left = heldRecords(pack, segment);
      if (left.length >= held.length) return undefined;
      held = left;
    }
    return moved;
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    return undefined;
  }
}

/** What open uploads rely on in a segment; looks at what they hold, not at the whole segment. */
function heldRecords(pack: Pack, segment: SegmentRow): Movable[] {
  const found: Movable[] = [];
  if (pack.holdings.size > MANY_HELD) {
    const { rows, pending } = recordsOf(pack, segment);
    const held = rows.filter(({ kind, id }) => {
      const state = pack.holdings.get(kind, id)?.state;
      return state !== undefined && state !== "pending";
    });
    return [...held, ...pending].sort((a, b) => a.offset - b.offset);
  }
  for (const holding of pack.holdings.all()) {
    if (holding.state === "pending" && !holding.waitsIn(segment.number)) continue;
    const { kind, id } = holding;
    const at = holding.state === "pending" ? holding.place : pack.tables.find(kind, id);
    if (at?.segment === segment.number) found.push({ kind, id, ...at });
  }
  return found.sort((a, b) => a.offset - b.offset);
}

function heldBytes(pack: Pack, segment: SegmentRow): number {
  return heldRecords(pack, segment).reduce((sum, record) => sum + recordBytes(record), 0);
}

function isHot(pack: Pack, segment: SegmentRow): boolean {
  const bytes = recentRecords(pack, segment).reduce((sum, record) => sum + recordBytes(record), 0);
  return bytes > segment.size * HOT_SHARE;
}

/** What moves because it is hot: the latest used first, as much as may move, in place order. */
function hotRecords(pack: Pack, segment: SegmentRow): Movable[] {
  const hot = recentRecords(pack, segment).sort((a, b) => b.used - a.used);
  let left = segment.size * HOT_SHARE;
  return hot.filter((record) => (left -= recordBytes(record)) >= 0)
    .sort((a, b) => a.offset - b.offset);
}

/** What was used more recently than the average of the store. */
function recentRecords(pack: Pack, segment: SegmentRow): LocatedRecord[] {
  return pack.tables.usedSince(segment.number, pack.tables.averageUse());
}
