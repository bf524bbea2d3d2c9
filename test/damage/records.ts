/** What stands where in the files of a store, so that each part of it can be damaged. */
import { decodeTrailer, FOOTER_ROW_BYTES, TRAILER_BYTES } from "../../codec/footer.ts";
import { scanRecords } from "../../codec/record_scan.ts";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import { SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import type { RecordKind } from "../../core/record.ts";
import { listFiles } from "../helpers/temp.ts";

/** Bytes of a file, `to` excluded. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A record in a segment or pack. */
export interface PlacedRecord extends Span {
  readonly kind: RecordKind;
  /** Hex. */
  readonly id: string;
}

/** A file of the store. */
export interface StoreFile {
  /** Below the store's folder. */
  readonly path: string;
  readonly type:
    | "active data"
    | "active log"
    | "data pack"
    | "log pack"
    | "packs.sqlite"
    | "index.sqlite"
    | "auth.sqlite"
    | "usage.sqlite"
    | "audit"
    | "key"
    | "FORMAT"
    | "text";
  readonly size: number;
  /** Of segments and packs, in order. */
  readonly records: readonly PlacedRecord[];
  /** Where the footer of a pack begins: rows, then the trailer. */
  readonly recordsEnd: number;
  /** Of segments and packs, 1 and more in the order in which they were begun; 0 for other files. */
  readonly number: number;
}

/** The fields of a record, of the header of a segment, and of a footer; offsets from their begin. */
export const FIELDS: Readonly<Record<string, Span>> = {
  "magic": { from: 0, to: 4 },
  "kind": { from: 4, to: 5 },
  "codec": { from: 5, to: 6 },
  "reserved": { from: 6, to: 8 },
  "stored length": { from: 8, to: 12 },
  "raw length": { from: 12, to: 16 },
  "id": { from: 16, to: 48 },
  "body CRC": { from: 48, to: 52 },
  "header CRC": { from: 52, to: 56 },
};
/** The fields of a segment's header. */
export const SEGMENT_FIELDS: Readonly<Record<string, Span>> = {
  "magic": { from: 0, to: 8 },
  "version": { from: 8, to: 10 },
  "kind": { from: 10, to: 11 },
  "reserved": { from: 11, to: 16 },
  "segment id": { from: 16, to: 32 },
  "created": { from: 32, to: 40 },
  "number": { from: 40, to: 48 },
  "header CRC": { from: 52, to: 56 },
};
/** The fields of a footer's row. */
export const ROW_FIELDS: Readonly<Record<string, Span>> = {
  "kind": { from: 0, to: 1 },
  "codec": { from: 1, to: 2 },
  "stored length": { from: 4, to: 8 },
  "raw length": { from: 8, to: 12 },
  "id": { from: 12, to: 44 },
  "offset": { from: 44, to: 52 },
};
/** The fields of the trailer. */
export const TRAILER_FIELDS: Readonly<Record<string, Span>> = {
  "magic": { from: 0, to: 8 },
  "version": { from: 8, to: 10 },
  "kind": { from: 10, to: 11 },
  "rows": { from: 12, to: 16 },
  "bytes of rows": { from: 16, to: 24 },
  "segment id": { from: 24, to: 40 },
  "records' end": { from: 40, to: 48 },
  "rows' CRC": { from: 56, to: 60 },
  "trailer CRC": { from: 60, to: 64 },
};

/** Bytes of one row of a footer, and of the trailer. */
export { FOOTER_ROW_BYTES, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, TRAILER_BYTES };

/** Where the header of a segment has its number. */
const SEGMENT_NUMBER_AT = 40;

/** Every file of a store that nobody has open. */
export async function filesOf(dir: string): Promise<StoreFile[]> {
  const files: StoreFile[] = [];
  for (const path of await listFiles(dir)) files.push(await describe(dir, path));
  // Segments as they were begun: their names are random.
  return files.sort((a, b) => a.number - b.number);
}

async function describe(dir: string, path: string): Promise<StoreFile> {
  const bytes = await Deno.readFile(`${dir}/${path}`);
  const size = bytes.length;
  const pack = path.startsWith("packs/");
  if (!pack && !path.startsWith("active/")) {
    return { path, type: typeOf(path), size, records: [], recordsEnd: 0, number: 0 };
  }
  const recordsEnd = pack
    ? decodeTrailer(bytes.subarray(size - TRAILER_BYTES), size).recordsEnd
    : size;
  const read = (offset: number, length: number) => bytes.slice(offset, offset + length);
  const records: PlacedRecord[] = [];
  for (const event of scanRecords(read, SEGMENT_HEADER_BYTES, recordsEnd)) {
    if (event.type !== "record") continue;
    const { kind, id, storedLength } = event.header;
    const to = event.offset + RECORD_HEADER_BYTES + storedLength;
    records.push({ kind, id: id.toHex(), from: event.offset, to });
  }
  const area = bytes[10] === 1 ? "data" : "log";
  const type = pack ? `${area} pack` as const : `active ${area}` as const;
  const number = Number(new DataView(bytes.buffer).getBigUint64(SEGMENT_NUMBER_AT, true));
  return { path, type, size, records, recordsEnd, number };
}

function typeOf(path: string): StoreFile["type"] {
  if (path === "FORMAT") return "FORMAT";
  if (path.startsWith("audit/")) return "audit";
  if (path.endsWith(".key")) return "key";
  if (path.endsWith(".sqlite")) return path as StoreFile["type"];
  return "text";
}
