/** Where records and segments are: the words that tables, writer and reader share. */
import type { RecordCodec } from "../../codec/record.ts";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import type { SegmentKind } from "../../codec/segment.ts";
import type { Bytes } from "../../core/digest.ts";
import type { DataKind, RecordKind } from "../../core/record.ts";
import { KIND_NUMBER } from "../../core/record.ts";

/** Where one record stands. */
export interface Place {
  /** The local number of its segment. */
  readonly segment: number;
  /** Of its header, from the start of the segment. */
  readonly offset: number;
  /** Bytes of the body as it stands there. */
  readonly stored: number;
  /** Bytes of the plain body. */
  readonly raw: number;
  readonly codec: RecordCodec;
}

/** A record and where it was found. */
export interface Wanted {
  readonly kind: DataKind;
  readonly id: Bytes;
  readonly place: Place;
}

/**
 * `building`: a log that is not complete. `active`: being appended. `full`: complete, its file is
 * still in the folder of active segments. `sealed`: an object. `dropping`: nothing points to it,
 * its bytes are about to go.
 */
export type SegmentState = "building" | "active" | "full" | "sealed" | "dropping";

/** One row of the table of segments. */
export interface SegmentRow {
  readonly number: number;
  /** 32 hex digits. */
  readonly name: string;
  readonly area: SegmentKind;
  readonly state: SegmentState;
  /** Bytes on the medium. */
  readonly size: number;
  /** Bytes of the records that the tables point to, with their headers. */
  readonly live_bytes: number;
  readonly live_records: number;
  /** Everything before this offset is in the tables; of a full segment, where its records end. */
  readonly applied: number;
  /** Milliseconds since 1970. */
  readonly created: number;
}

/** Parts of a second that uses are told apart by: a small store may be written anew in one. */
const USE_PARTS = 64;

/**
 * Milliseconds since 1970 as the tables count uses: seconds, down to a 64th, so that sums of many
 * are exact.
 */
export function useTime(ms: number): number {
  return Math.floor(ms * USE_PARTS / 1000) / USE_PARTS;
}

/** Bytes of a record with its header. */
export function recordBytes(place: Pick<Place, "stored">): number {
  return RECORD_HEADER_BYTES + place.stored;
}

/** Whether both are the same bytes of the same file. */
export function samePlace(a: Place, b: Place): boolean {
  return a.segment === b.segment && a.offset === b.offset;
}

/** A record's name as a map key. */
export function recordKey(kind: RecordKind, id: Uint8Array): string {
  return String.fromCharCode(KIND_NUMBER[kind], ...id);
}
