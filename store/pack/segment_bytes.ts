/** Reads a segment wherever it stands: an open file, a sealed file, an object of a far medium. */
import fs from "node:fs";
import { checkBody, decodeHeader, RECORD_HEADER_BYTES } from "../../codec/record.ts";
import type { RecordHeader } from "../../codec/record.ts";
import { packKey } from "../../codec/segment.ts";
import { bodyBytes } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { fromHex } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import { isMissing, packError } from "./errors.ts";
import { recordBytes } from "./places.ts";
import type { Place, SegmentRow } from "./places.ts";
import { fillAt, readAt, segmentFileName } from "./segment_files.ts";
import type { Part, SegmentFiles } from "./segment_files.ts";

/** An open segment; whoever opened it closes it. */
export interface SegmentBytes extends Disposable {
  /** Whether `read` answers without a promise and the bytes can not vanish while it is open. */
  readonly local: boolean;
  /** Up to `length` bytes at `offset`, fewer at the end; memory of its own. */
  read(offset: number, length: number): Bytes | Promise<Bytes>;
  /** Fills a part of `target` from `offset` on; tells how many there were. For local ones only. */
  readInto(target: Bytes, offset: number, part: Part): number;
  /** Bytes in all; for local ones only. */
  size(): number;
}

/** Where segments may stand. */
export interface SegmentHome {
  readonly files: SegmentFiles;
  readonly objects: ObjectStore;
}

/** The object key of a segment once it is sealed. */
export function objectKey(segment: Pick<SegmentRow, "name" | "area">): string {
  return packKey({ kind: segment.area, id: fromHex(segment.name) });
}

/**
 * Opens a segment; `undefined` when its file is not there. A far object is not looked at.
 * @throws {CacheError} `unavailable`
 */
export function openSegment(
  home: SegmentHome,
  segment: Pick<SegmentRow, "name" | "area" | "state">,
): SegmentBytes | undefined {
  try {
    if (segment.state !== "sealed") {
      const file = home.files.open(segmentFileName(segment.name), "r");
      return file && {
        local: true,
        read: (offset, length) => file.read(offset, length),
        readInto: (target, offset, part) => file.readInto(target, offset, part),
        size: () => file.size(),
        [Symbol.dispose]: () => file.close(),
      };
    }
    const key = objectKey(segment);
    const path = home.objects.capability.pathOf(key);
    return path === undefined ? farSegment(home.objects, key) : fileSegment(path);
  } catch (error) {
    throw packError(error, "open", `segment "${segment.name}"`);
  }
}

/** A file of this machine; `undefined` when there is none. */
export function fileSegment(path: string): SegmentBytes | undefined {
  let fd: number;
  try {
    fd = fs.openSync(path, "r");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  if (!fs.fstatSync(fd).isFile()) {
    // Whatever stands there has no bytes of ours.
    fs.closeSync(fd);
    return undefined;
  }
  return {
    local: true,
    read: (offset, length) => readAt(fd, offset, length),
    readInto: (target, offset, part) => fillAt(fd, target, offset, part),
    size: () => fs.fstatSync(fd).size,
    [Symbol.dispose]: () => fs.closeSync(fd),
  };
}

/** An object that is read by ranges; what is not there reads as no bytes. */
export function farSegment(objects: ObjectStore, key: string): SegmentBytes {
  return {
    local: false,
    async read(offset, length) {
      try {
        const body = await objects.get(key, { range: { start: offset, end: offset + length } });
        return body ? await bodyBytes(body, length) : new Uint8Array(0);
      } catch (error) {
        if (error instanceof CacheError && error.kind === "range_not_satisfiable") {
          return new Uint8Array(0);
        }
        throw error;
      }
    },
    readInto: () => 0,
    size: () => NaN,
    [Symbol.dispose]() {},
  };
}

/** A record as it stands in its segment: checked against its row and its CRC-32. */
export interface CheckedRecord {
  readonly header: RecordHeader;
  readonly stored: Bytes;
}

/**
 * The record that `bytes` begin with; `undefined` if it is not the one that the row speaks of, or
 * is damaged. `stored` is a view of `bytes`.
 */
export function checkRecord(
  bytes: Bytes,
  row: Place & { readonly id: Uint8Array; readonly kind: string },
): CheckedRecord | undefined {
  const header = decodeHeader(bytes);
  if (!header || header.kind !== row.kind || header.codec !== row.codec) return undefined;
  if (header.storedLength !== row.stored || header.rawLength !== row.raw) return undefined;
  for (let i = 0; i < 32; i++) if (header.id[i] !== row.id[i]) return undefined;
  const stored = bytes.subarray(RECORD_HEADER_BYTES, recordBytes(row));
  return checkBody(header, stored) ? { header, stored } : undefined;
}
