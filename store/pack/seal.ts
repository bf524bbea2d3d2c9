/** Turns a full segment into a pack: the same file with a footer, handed to the object store. */
import { encodeFooter } from "../../codec/footer.ts";
import type { FooterRow } from "../../codec/footer.ts";
import { scanRecords } from "../../codec/record_scan.ts";
import { SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import { fromHex } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { noteGone } from "./damage.ts";
import { dropSegment } from "./drop.ts";
import { packError } from "./errors.ts";
import { breathe } from "./jobs.ts";
import { recordsOf } from "./move.ts";
import { reportFailure } from "./pack.ts";
import type { Pack } from "./pack.ts";
import type { SegmentRow } from "./places.ts";
import { footerRow, putPack } from "./put_pack.ts";
import { segmentFileName } from "./segment_files.ts";
import type { SegmentFile } from "./segment_files.ts";
import { squeeze } from "./squeeze.ts";

/** Records that a scan takes in between two turns of everybody else. */
const SCAN_STEP = 512;

/**
 * Seals every segment that is full; runs as a job. A failure is reported: the segment stays where
 * it is, is read there, and is sealed the next time.
 */
export async function sealFull(pack: Pack): Promise<void> {
  for (const segment of pack.tables.segments()) {
    if (segment.state !== "full") continue;
    try {
      await sealOne(pack, segment);
    } catch (thrown) {
      reportFailure(pack, "seal", packError(thrown, "seal", `segment "${segment.name}"`));
    }
  }
}

async function sealOne(pack: Pack, segment: SegmentRow): Promise<void> {
  if (!pack.files.list().includes(segmentFileName(segment.name))) {
    return await giveUp(pack, segment);
  }
  const compress = pack.options.compression === "zstd" && segment.area === "data";
  if (compress && await squeeze(pack, segment)) return;
  const rows = segment.area === "data" ? dataRows(pack, segment) : await scanRows(pack, segment);
  const size = writeFooter(pack, segment, rows);
  await putPack(pack, segment, segmentFileName(segment.name), size);
  pack.fault("seal.before_tables");
  pack.tables.transaction(() => {
    pack.tables.setSegment(segment.number, { state: "sealed", size, applied: segment.applied });
  }, { durable: true });
  pack.fault("seal.before_remove");
  pack.files.remove(segmentFileName(segment.name));
  // Whoever has the file open would keep its bytes on the disk if the pack is not the same file.
  pack.options.onRetire?.([segment.number]);
  pack.fault("seal.after_remove");
  pack.report({ type: "sealed", segment: segment.name, bytes: size });
}

/** Somebody has removed the file: what was in it is lost, and told. */
async function giveUp(pack: Pack, segment: SegmentRow): Promise<void> {
  noteGone(pack, segment);
  // A segment of the log is told until the log is written anew: it alone can say what else fell.
  if (segment.area === "data") await dropSegment(pack, segment);
}

function dataRows(pack: Pack, segment: SegmentRow): FooterRow[] {
  const { rows, pending } = recordsOf(pack, segment);
  return [...rows, ...pending].map((record) => footerRow(record));
}

async function scanRows(pack: Pack, segment: SegmentRow): Promise<FooterRow[]> {
  const file = openFull(pack, segment);
  const rows: FooterRow[] = [];
  try {
    const read = (offset: number, length: number) => file.read(offset, length);
    for (const event of scanRecords(read, SEGMENT_HEADER_BYTES, segment.applied)) {
      if (event.type !== "record") continue;
      const { kind, id, codec, storedLength, rawLength } = event.header;
      rows.push({ kind, id, codec, storedLength, rawLength, offset: event.offset });
      if (rows.length % SCAN_STEP === 0) await breathe();
    }
  } finally {
    file.close();
  }
  return rows;
}

function writeFooter(pack: Pack, segment: SegmentRow, rows: FooterRow[]): number {
  const { area: kind, name, applied: recordsEnd, number, size } = segment;
  const footer = encodeFooter({ kind, segmentId: fromHex(name), recordsEnd }, rows);
  const file = openFull(pack, segment);
  try {
    pack.fault("seal.before_footer");
    file.write([footer], recordsEnd);
    // Whatever hung over from a write that failed, or from a seal before this one.
    file.truncate(recordsEnd + footer.length);
    pack.fault("seal.before_sync");
    file.sync();
  } finally {
    file.close();
  }
  const sealed = recordsEnd + footer.length;
  pack.tables.transaction(() => {
    pack.tables.setSegment(number, { state: "full", size: sealed, applied: recordsEnd });
  });
  pack.restBytes += sealed - size;
  return sealed;
}

function openFull(pack: Pack, segment: SegmentRow): SegmentFile {
  const file = pack.files.open(segmentFileName(segment.name));
  if (file) return file;
  throw new CacheError("corrupt", `Cannot seal segment "${segment.name}": its file is not there`, {
    operation: "pack.seal",
  });
}
