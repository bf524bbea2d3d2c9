/** Compresses a full segment: its records go, smaller, into a pack of their own. */
import { encodeFooter } from "../../codec/footer.ts";
import { encodeHeader } from "../../codec/record.ts";
import type { StoredRecord } from "../../codec/record.ts";
import { SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import { compress } from "../../codec/zstd.ts";
import type { Bytes } from "../../core/digest.ts";
import { createSegmentFile, newSegmentName } from "./active.ts";
import type { SegmentIdentity } from "./active.ts";
import { noteDamage } from "./damage.ts";
import { dropSegment } from "./drop.ts";
import { breathe } from "./jobs.ts";
import { recordsOf } from "./move.ts";
import type { Movable } from "./move.ts";
import { sizeOf } from "./pack.ts";
import type { Pack } from "./pack.ts";
import { recordBytes, samePlace } from "./places.ts";
import type { Place, SegmentRow } from "./places.ts";
import { footerRow, putPack } from "./put_pack.ts";
import { checkRecord, openSegment } from "./segment_bytes.ts";
import type { SegmentBytes } from "./segment_bytes.ts";
import type { SegmentFile } from "./segment_files.ts";

/** Bytes that are tried first: most of what does not compress is known by them. */
const SAMPLE_BYTES = 4096;
/** Records that are tried before a segment is compressed. */
const SAMPLES = 16;
const GOLDEN = (Math.sqrt(5) - 1) / 2;
/** A body is left as it is unless it gets smaller than this share. */
const WORTH = 0.95;
/** Bytes compressed between two turns of everybody else: a few milliseconds. */
const STEP_BYTES = 512 * 1024;

interface Squeezed {
  readonly from: Movable;
  readonly to: Place;
}

/**
 * Writes all records of a full segment to a new pack, compressed where that is worth it, and
 * points to them there; the old segment goes. A new segment, since a reader that has the old file
 * open must not take the new offsets for it. Tells whether it did: `false` when so little would
 * be saved that the segment is better sealed as it is.
 */
export async function squeeze(pack: Pack, segment: SegmentRow): Promise<boolean> {
  const home = { files: pack.files, objects: pack.options.objects };
  using source = openSegment(home, segment);
  if (!source) return false;
  const { rows, pending } = recordsOf(pack, segment);
  const records: Movable[] = [...rows, ...pending].sort((a, b) => a.offset - b.offset);
  if (!await isWorth(source, records)) return false;
  const created = pack.options.clock.now();
  const identity = {
    ...newSegmentName(created),
    number: pack.nextNumber++,
    area: "data",
    created,
  } as const;
  const fileName = `${identity.name}.tmp`;
  const file = createSegmentFile(pack.files, identity, fileName);
  let written: { moved: Squeezed[]; recordsEnd: number; size: number };
  try {
    written = await rewriteAll(pack, { source, file, records, identity });
    pack.restBytes += written.size;
    try {
      pack.fault("squeeze.before_put");
      await putPack(pack, identity, fileName, written.size);
      pointTo(pack, identity, written);
    } catch (error) {
      pack.restBytes -= written.size;
      throw error;
    }
  } finally {
    file.close();
    pack.files.remove(fileName);
  }
  pack.fault("squeeze.after_tables");
  // What is still here was found damaged, or came to an upload meanwhile: sealed the next time.
  const left = () => recordsLeft(pack, segment);
  const current = pack.tables.segment(segment.number);
  if (current) await dropSegment(pack, current, left);
  return true;
}

function recordsLeft(pack: Pack, segment: SegmentRow): boolean {
  const { rows, pending } = recordsOf(pack, segment);
  return rows.length + pending.length > 0;
}

async function isWorth(source: SegmentBytes, records: readonly Movable[]): Promise<boolean> {
  // A few records of all over the segment stand for the rest, in steps of the golden ratio: even
  // ones could meet every third record of a file format, and no other.
  let [before, after] = [0, 0];
  for (let i = 0; i < Math.min(SAMPLES, records.length); i++) {
    const { offset, codec, stored } = records[Math.floor((i * GOLDEN % 1) * records.length)]!;
    if (codec !== 0) continue;
    const bytes = await source.read(
      offset + recordBytes({ stored: 0 }),
      Math.min(stored, SAMPLE_BYTES),
    );
    before += bytes.length;
    after += compress(bytes).length;
  }
  return after < before * WORTH;
}

async function rewriteAll(
  pack: Pack,
  from: {
    source: SegmentBytes;
    file: SegmentFile;
    records: readonly Movable[];
    identity: SegmentIdentity;
  },
): Promise<{ moved: Squeezed[]; recordsEnd: number; size: number }> {
  const { source, file, records, identity } = from;
  const moved: Squeezed[] = [];
  let end = SEGMENT_HEADER_BYTES;
  let work = 0;
  for (const record of records) {
    const checked = checkRecord(await source.read(record.offset, recordBytes(record)), record);
    if (!checked) {
      noteDamage(pack, { ...record, length: recordBytes(record) });
      continue;
    }
    const smaller = squeezed(record, checked.stored);
    pack.fault("squeeze.before_write");
    file.write([encodeHeader(smaller), smaller.stored], end);
    const { codec, stored: { length: stored } } = smaller;
    const to = { segment: identity.number, offset: end, stored, raw: record.raw, codec };
    moved.push({ from: record, to });
    end += sizeOf(smaller);
    if ((work += recordBytes(record)) >= STEP_BYTES) {
      work = 0;
      await breathe();
    }
  }
  const rows = moved.map(({ from: { kind, id }, to }) => footerRow({ ...to, kind, id }));
  const footer = encodeFooter({ kind: "data", segmentId: identity.id, recordsEnd: end }, rows);
  file.write([footer], end);
  file.sync();
  return { moved, recordsEnd: end, size: end + footer.length };
}

function squeezed(record: Movable, stored: Bytes): StoredRecord {
  const { kind, id, codec, raw: rawLength } = record;
  const asItIs: StoredRecord = { kind, id, codec, stored, rawLength };
  if (codec !== 0 || stored.length === 0) return asItIs;
  if (stored.length > SAMPLE_BYTES) {
    const sample = stored.subarray(0, SAMPLE_BYTES);
    if (compress(sample).length >= SAMPLE_BYTES * WORTH) return asItIs;
  }
  const smaller = compress(stored);
  if (smaller.length >= stored.length * WORTH) return asItIs;
  return { kind, id, codec: 1, stored: smaller, rawLength };
}

function pointTo(
  pack: Pack,
  identity: SegmentIdentity,
  written: { moved: readonly Squeezed[]; recordsEnd: number; size: number },
): void {
  const { moved, recordsEnd: applied, size } = written;
  const { number, name, area, created } = identity;
  pack.fault("squeeze.before_tables");
  pack.tables.transaction(() => {
    pack.tables.addSegment({ number, name, area, created, state: "sealed", size, applied });
    for (const { from, to } of moved) pack.tables.move(from, from, to);
  }, { durable: true });
  for (const { from, to } of moved) {
    const holding = pack.holdings.get(from.kind, from.id);
    if (holding?.state === "pending" && samePlace(holding.place, from)) holding.place = to;
  }
}
