/** After an unclean stop: what the tables do not know yet is found again in the segments. */
import { scanRecords } from "../../codec/record_scan.ts";
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import type { SegmentHeader, SegmentKind } from "../../codec/segment.ts";
import { fromHex } from "../../core/digest.ts";
import type { Bytes } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import type { DataKind } from "../../core/record.ts";
import { segmentFileName } from "./segment_files.ts";
import type { SegmentFile, SegmentFiles } from "./segment_files.ts";
import type { PackWriterOptions } from "./options.ts";
import type { SegmentRow } from "./places.ts";
import type { QuarantineRow, Tables } from "./tables.ts";
import { hasUnwrittenSector } from "./torn_write.ts";

/** What opening a store works on, before there is a writer. */
export interface Opening {
  readonly options: PackWriterOptions;
  readonly tables: Tables;
  readonly files: SegmentFiles;
  /** Whether the tables are new, and tell nothing of what was once durable. */
  readonly rebuilds: boolean;
}

/** Scans one file of the folder from an offset on, makes rows, and cuts its torn tail. */
export interface Replayed {
  /** Behind the last good record. */
  readonly end: number;
  readonly records: number;
  /** Bytes that were cut. */
  readonly torn: number;
}

const FILE = /^([0-9a-f]{32})\.seg$/;

/**
 * Replays every segment file behind what the tables know of it, and takes in files that they do
 * not know at all.
 * @throws {CacheError} `unsupported` when a newer program wrote one of them
 */
export function recoverFiles(opening: Opening): void {
  const { tables, files, options } = opening;
  const known = new Set(tables.segments().map((row) => row.name));
  const unknown: { name: string; header: SegmentHeader }[] = [];
  for (const fileName of files.list()) {
    const name = FILE.exec(fileName)?.[1];
    if (name === undefined) {
      // Left by a compaction, a rewrite or a fetch that did not come to its end.
      if (fileName.endsWith(".tmp")) files.remove(fileName);
    } else if (!known.has(name)) {
      const header = identify(files, name);
      if (header) unknown.push({ name, header });
      else leaveOut(opening, fileName);
    }
  }
  unknown.sort((a, b) => a.header.number - b.header.number || (a.name < b.name ? -1 : 1));
  for (const { name, header } of unknown) adopt(opening, name, header);
  for (const row of tables.segments()) {
    // A full segment was synced, and where its records end is durable in the tables.
    if (row.state !== "active") continue;
    const file = files.open(segmentFileName(row.name));
    if (!file) continue;
    try {
      options.faults?.("open.recover");
      const { end, records, torn } = replay(opening, { row, file, from: row.applied });
      if (records + torn > 0) {
        options.report({ type: "recovered", segment: row.name, records, torn });
      }
      tables.transaction(() => {
        tables.setSegment(row.number, { state: "active", size: end, applied: end });
      });
      options.faults?.("open.after_recover");
    } finally {
      file.close();
    }
  }
}

/**
 * A file in which nothing can be read. Its header was durable before anything else was written, so
 * one that is longer than that is damage and is kept aside; a shorter one never held anything.
 */
function leaveOut(opening: Opening, fileName: string): void {
  const { tables, files } = opening;
  const file = files.open(fileName, "r");
  const length = file?.size() ?? 0;
  file?.close();
  if (length <= SEGMENT_HEADER_BYTES) return files.remove(fileName);
  files.rename(fileName, `${fileName}.damaged`);
  tables.transaction(() => noteUnreadable(opening, { segment: UNKNOWN, offset: 0, length }));
}

/** Stands for a segment that has no number: nothing of it could be read. */
const UNKNOWN = 0;

/** Adds a row for a file of which the tables know nothing. */
function adopt({ tables }: Opening, name: string, header: SegmentHeader): void {
  const { kind: area, created, number } = header;
  const taken = number === 0 || tables.segment(number) !== undefined;
  const applied = SEGMENT_HEADER_BYTES;
  tables.transaction(() => {
    const row = { name, area, state: "active", size: applied, applied, created } as const;
    tables.addSegment(taken ? row : { ...row, number });
  });
}

/** What a file is; `undefined` when nothing in it was ever durable. */
function identify(files: SegmentFiles, name: string): SegmentHeader | undefined {
  const file = files.open(segmentFileName(name), "r");
  if (!file) return undefined;
  try {
    const header = decodeSegmentHeader(file.read(0, SEGMENT_HEADER_BYTES));
    return { ...header, id: fromHex(name) };
  } catch (error) {
    if (!isKind(error, "corrupt")) throw error;
    return guess(file, name);
  } finally {
    file.close();
  }
}

/** Its header is damaged: the name has the id and the time, the records have the kind. */
function guess(file: SegmentFile, name: string): SegmentHeader | undefined {
  const read = (offset: number, length: number) => file.read(offset, length);
  for (const event of scanRecords(read, 0, file.size())) {
    if (event.type !== "record") continue;
    const kind: SegmentKind = isDataKind(event.header.kind) ? "data" : "log";
    return { kind, id: fromHex(name), created: parseInt(name.slice(0, 12), 16), number: 0 };
  }
  return undefined;
}

/** Makes rows for the records of a file, quarantines damage and cuts the tail. */
export function replay(
  opening: Opening,
  segment: { row: SegmentRow; file: SegmentFile; from: number },
): Replayed {
  const { row, file, from } = segment;
  const size = file.size();
  if (size < from) fillUp(opening, segment);
  const result = opening.tables.transaction(() =>
    insertScanned(opening, row, {
      read: (offset, length) => file.read(offset, length),
      from,
      end: size,
      endsTorn: !opening.rebuilds,
    })
  );
  if (size > result.end) file.truncate(result.end);
  // Whoever wrote these records may have died before he synced them; from here on they are taken
  // for durable, and a put of the same bytes would rely on them.
  if (size > from) file.sync();
  return { ...result, torn: Math.max(0, size - result.end) };
}

/**
 * A file that is shorter than what was durable in it. Zeros take the place of what is gone: the
 * records behind it must stand where no earlier ones were.
 */
function fillUp(
  opening: Opening,
  { row, file, from }: { row: SegmentRow; file: SegmentFile; from: number },
): void {
  const size = file.size();
  const place = { segment: row.number, offset: size, length: from - size };
  opening.tables.transaction(() => noteUnreadable(opening, place));
  file.truncate(from);
  file.sync();
}

/**
 * Inside a transaction: rows for all good records that are not located yet. With `endsTorn` the end
 * of the part is what was not known to be durable when the store was left: a gap of sectors that
 * were never written ends it there, and is no damage.
 */
export function insertScanned(
  opening: Opening,
  row: SegmentRow,
  part: {
    read: (offset: number, length: number) => Bytes;
    from: number;
    end: number;
    endsTorn?: boolean;
  },
): { end: number; records: number } {
  const { tables } = opening;
  const used = Math.floor(row.created / 1000);
  let records = 0;
  let end = part.from;
  for (const event of scanRecords(part.read, part.from, part.end)) {
    if (event.type === "record") {
      const { kind, id, codec, storedLength: stored, rawLength: raw } = event.header;
      records++;
      if (row.area !== "data" || !isDataKind(kind)) continue;
      const { offset } = event;
      tables.insert({ kind, id, segment: row.number, offset, stored, raw, codec, used });
    } else if (event.type === "damage") {
      const { offset, length } = event;
      if (part.endsTorn && hasUnwrittenSector(part.read, offset, length)) {
        return { end: offset, records };
      }
      noteUnreadable(opening, { segment: row.number, offset, length });
    } else end = event.offset;
  }
  return { end, records };
}

/** Inside a transaction: notes bytes that are no record any more. */
export function noteUnreadable(
  opening: Opening,
  place: Pick<QuarantineRow, "segment" | "offset" | "length">,
): void {
  const { tables, options } = opening;
  const row = { ...place, kind: undefined, id: undefined, at: options.clock.now() };
  if (!tables.quarantine(row)) return;
  options.counters.add("quarantined");
  options.report({ type: "damage", row });
}

/** Whether records of this kind stand in data segments. */
export function isDataKind(kind: string): kind is DataKind {
  return kind === "chunk" || kind === "recipe" || kind === "tree";
}
