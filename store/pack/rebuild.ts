/** Packs that the tables do not know are taken in; packs that are gone are forgotten. */
import {
  decodeFooter,
  decodeTrailer,
  FOOTER_ROW_BYTES,
  TRAILER_BYTES,
} from "../../codec/footer.ts";
import type { FooterRow, Trailer } from "../../codec/footer.ts";
import { RECORD_MAGIC } from "../../codec/record.ts";
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import type { SegmentHeader } from "../../codec/segment.ts";
import { equalBytes } from "../../core/bytes.ts";
import { fromHex } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import { localObject } from "./local_copy.ts";
import type { LocalCopy } from "./local_copy.ts";
import { insertScanned, isDataKind, noteUnreadable } from "./recover.ts";
import type { Opening } from "./recover.ts";
import { farSegment, fileSegment } from "./segment_bytes.ts";
import { segmentFileName } from "./segment_files.ts";
import type { SegmentBytes } from "./segment_bytes.ts";

const NAME = /^(data|log)\/[0-9a-f]{2}\/([0-9a-f]{32})$/;

interface FoundPack {
  readonly key: string;
  readonly size: number;
  readonly header: SegmentHeader;
  /** Whether its header says that it is another one. */
  readonly foreign: boolean;
  readonly rows: readonly FooterRow[] | undefined;
  readonly recordsEnd: number;
}

/**
 * Compares the tables with the object store: a pack without a row is taken in by its footer (or,
 * if that is damaged, by reading all of it), a row without a pack is dropped. Tells how many packs
 * were taken in. Runs before the files of the folder are looked at: a file whose pack is whole
 * is a second name of the same bytes, and must not be appended or cut.
 * @throws {CacheError} `unsupported` when a newer program wrote one of them, `unavailable`
 */
export async function reconcilePacks(opening: Opening): Promise<number> {
  const { tables, files, options: { objects } } = opening;
  const known = new Map(tables.segments().map((row) => [row.name, row]));
  const local = new Set(files.list());
  const there = new Set<string>();
  const found: FoundPack[] = [];
  for (const prefix of ["data/", "log/"]) {
    for await (const { key, size } of objects.list({ prefix })) {
      const name = NAME.exec(key)?.[2];
      if (name === undefined) continue;
      const row = known.get(name);
      there.add(name);
      if (row?.state === "dropping") continue;
      const fileName = segmentFileName(name);
      if (row && row.state === "sealed" && !local.has(fileName)) continue;
      const pack = await inspect(opening, key, size);
      if (local.has(fileName)) {
        // Half a pack, on a medium that can show one: the file has all of it.
        if (!pack.rows) continue;
        if (row?.state !== "sealed") await nameAgain(opening, { key, size, fileName });
        files.remove(fileName);
      }
      if (!row) found.push(pack);
      else {
        tables.transaction(() => {
          tables.setSegment(row.number, { state: "sealed", size, applied: pack.recordsEnd });
        });
      }
    }
  }
  forgetMissing(opening, there);
  found.sort((a, b) => a.header.number - b.header.number || (a.key < b.key ? -1 : 1));
  for (const pack of found) await takeIn(opening, pack);
  return found.length;
}

/**
 * Stores a pack once more from its file. Whoever gave it its name may have died before that was
 * durable; without this, a power cut after the file has gone would take both names.
 */
async function nameAgain(
  { files, options: { objects } }: Opening,
  pack: { readonly key: string; readonly size: number; readonly fileName: string },
): Promise<void> {
  const file = files.open(pack.fileName, "r");
  const whole = file?.size() === pack.size;
  file?.close();
  // Another size: not a second name of the same bytes, and the pack is the one that is whole.
  if (whole) await objects.put(pack.key, files.source(pack.fileName, pack.size));
}

function forgetMissing(opening: Opening, there: ReadonlySet<string>): void {
  const { tables, files, options } = opening;
  const local = new Set(files.list());
  for (const row of tables.segments()) {
    if (there.has(row.name) || local.has(segmentFileName(row.name)) || row.state === "dropping") {
      continue;
    }
    const held = row.live_records > 0 || row.applied > SEGMENT_HEADER_BYTES;
    const records = tables.transaction(() => {
      const records = tables.removeAll(row.number);
      tables.forgetQuarantine(row.number);
      tables.deleteSegment(row.number);
      // What fell with it is told by a verification, which has to know that something fell.
      const { number: segment, size: length } = row;
      if (held) noteUnreadable(opening, { segment, offset: 0, length });
      return records;
    });
    if (records > 0) options.counters.add("losses", records);
    if (held) options.report({ type: "pack_lost", segment: row.name, records });
  }
}

async function inspect(opening: Opening, key: string, size: number): Promise<FoundPack> {
  const { objects } = opening.options;
  const path = objects.capability.pathOf(key);
  using source = path === undefined ? farSegment(objects, key) : fileSegment(path);
  const name = key.slice(key.lastIndexOf("/") + 1);
  const { header, foreign } = await headerOf(
    source,
    name,
    key.startsWith("log/") ? "log" : "data",
  );
  const footer = source && await footerOf(source, size, name);
  const recordsEnd = footer?.trailer.recordsEnd ?? size;
  return { key, size, header, foreign, rows: footer?.rows, recordsEnd };
}

async function headerOf(
  source: SegmentBytes | undefined,
  name: string,
  kind: SegmentHeader["kind"],
): Promise<Pick<FoundPack, "header" | "foreign">> {
  const own = { kind, id: fromHex(name) };
  try {
    const bytes = await source?.read(0, SEGMENT_HEADER_BYTES) ?? new Uint8Array(0);
    const header = decodeSegmentHeader(bytes);
    return { header: { ...header, ...own }, foreign: header.id.toHex() !== name };
  } catch (error) {
    if (!isKind(error, "corrupt")) throw error;
    const created = parseInt(name.slice(0, 12), 16);
    return { header: { ...own, created, number: 0 }, foreign: false };
  }
}

async function footerOf(
  source: SegmentBytes,
  size: number,
  name: string,
): Promise<{ trailer: Trailer; rows: FooterRow[] } | undefined> {
  if (size < TRAILER_BYTES) return undefined;
  try {
    const trailer = decodeTrailer(await source.read(size - TRAILER_BYTES, TRAILER_BYTES), size);
    if (trailer.segmentId.toHex() !== name) return undefined;
    // Log packs are only ever read from their first record to their last.
    if (trailer.kind === "log") return { trailer, rows: [] };
    const rows = decodeFooter(await source.read(trailer.recordsEnd, trailer.rowsBytes), trailer);
    return { trailer, rows };
  } catch (error) {
    if (isKind(error, "corrupt")) return undefined;
    throw error;
  }
}

async function takeIn(opening: Opening, pack: FoundPack): Promise<void> {
  const { tables, files, options } = opening;
  const { header: { number, kind: area, created }, size, rows, key } = pack;
  const name = key.slice(key.lastIndexOf("/") + 1);
  const taken = number === 0 || tables.segment(number) !== undefined;
  const home = { files, objects: options.objects };
  using copy = rows === undefined ? await localObject(home, key) : undefined;
  tables.transaction(() => {
    const base = { name, area, state: "sealed", size, applied: pack.recordsEnd, created } as const;
    const at = tables.addSegment(taken ? base : { ...base, number });
    const row = tables.segment(at)!;
    // Another pack's bytes stand under this name: what was here before is gone.
    if (pack.foreign) {
      noteUnreadable(opening, { segment: at, offset: 0, length: SEGMENT_HEADER_BYTES });
    }
    const used = Math.floor(created / 1000);
    for (const { kind, id, offset, codec, storedLength: stored, rawLength: raw } of rows ?? []) {
      if (!isDataKind(kind)) continue;
      const ownId = new Uint8Array(id);
      tables.insert({ kind, id: ownId, segment: at, offset, stored, raw, codec, used });
    }
    if (!copy) return;
    const part = { read: copy.read, from: SEGMENT_HEADER_BYTES, end: copy.size };
    const { end, records } = insertScanned(opening, row, part);
    tables.setSegment(at, { state: "sealed", size, applied: end });
    if (!isFooter(copy, end, records)) {
      noteUnreadable(opening, { segment: at, offset: end, length: copy.size - end });
    }
  });
}

/**
 * Whether what follows the last record can be the footer, though it is damaged: a pack was whole
 * when it was sealed. It has at most one row for each record, and does not begin like a record.
 */
function isFooter({ read, size }: LocalCopy, end: number, records: number): boolean {
  const rows = (size - end - TRAILER_BYTES) / FOOTER_ROW_BYTES;
  const first = read(end, RECORD_MAGIC.length);
  return Number.isInteger(rows) && rows <= records && !equalBytes(first, RECORD_MAGIC);
}
