/** What the parts of the writer share, and how records get into the active segments. */
import { encodeHeader, RECORD_HEADER_BYTES } from "../../codec/record.ts";
import type { StoredRecord } from "../../codec/record.ts";
import { SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import type { SegmentKind } from "../../codec/segment.ts";
import type { CacheError } from "../../core/errors.ts";
import type { PlainRecord } from "../../core/record.ts";
import { ActiveSegment, createSegmentFile, newSegmentName } from "./active.ts";
import type { SegmentIdentity } from "./active.ts";
import type { Measured } from "./disk_bytes.ts";
import { packError } from "./errors.ts";
import type { FaultPoint } from "./faults.ts";
import type { Holdings, Upload } from "./holdings.ts";
import type { Jobs } from "./jobs.ts";
import type { PackEvent, PackWriterOptions } from "./options.ts";
import type { Place } from "./places.ts";
import { useTime } from "./places.ts";
import { segmentFileName } from "./segment_files.ts";
import type { SegmentFiles } from "./segment_files.ts";
import type { Tables } from "./tables.ts";
import type { Touches } from "./touches.ts";

/** The state of one writer. */
export interface Pack {
  readonly options: PackWriterOptions;
  readonly tables: Tables;
  readonly files: SegmentFiles;
  /** Whether the tables have still to be checked, see {@linkcode lateCheck}. */
  unchecked: boolean;
  readonly holdings: Holdings;
  /** What is pinned, by a name that the caller gave: held like what an open upload needs. */
  readonly pins: Map<string, Upload>;
  readonly touches: Touches;
  readonly jobs: Jobs;
  readonly active: Record<SegmentKind, ActiveSegment>;
  /** Bytes at which a segment is full. */
  readonly limits: Readonly<Record<SegmentKind, number>>;
  /** Bytes of all segments but the active ones, and of files being made. */
  restBytes: number;
  /** What the file system said when the round under way began; `undefined` between rounds. */
  measured: Measured | undefined;
  /** What it said for the last round, if that one had data: good for one round of the log. */
  lastMeasured: Measured | undefined;
  /** Bytes deleted since the room on the disk was last seen to change: `free` may lag behind. */
  readonly credit: { free: number; bytes: number };
  /** The number of the next segment. */
  nextNumber: number;
  /** Called when a segment is full. */
  onFull(segment: SegmentIdentity): void;
  /** Called when something counts that is not durable yet. */
  onUnsynced(): void;
  fault(point: FaultPoint): void;
  report(event: PackEvent): void;
}

/** Now, as the tables count uses. */
export function seconds(pack: Pack): number {
  return useTime(pack.options.clock.now());
}

/** A record as it is stored without compression. */
export function plainStored(record: PlainRecord): StoredRecord {
  const { kind, id, body } = record;
  return { kind, id, codec: 0, stored: body, rawLength: body.length };
}

/** Bytes that a record of this body takes. */
export function sizeOf(record: { readonly stored: { readonly length: number } }): number {
  return RECORD_HEADER_BYTES + record.stored.length;
}

/**
 * Writes records behind the active segment of their area, in order, and tells their places; not
 * durable yet. Nothing points to what was written when it throws.
 * @throws {CacheError} `quota_exceeded` on a full disk, `unavailable`
 */
export function place(
  pack: Pack,
  records: readonly StoredRecord[],
  options: { area: SegmentKind; together?: boolean; before: FaultPoint },
): Place[] {
  const { area, together, before } = options;
  const places: Place[] = [];
  const all = records.reduce((sum, record) => sum + sizeOf(record), 0);
  try {
    while (places.length < records.length) {
      const first = places.length;
      const segment = withRoom(pack, area, together ? all : sizeOf(records[first]!));
      const parts: Uint8Array[] = [];
      let end = segment.end;
      for (const record of records.slice(first)) {
        const size = sizeOf(record);
        if (!together && parts.length > 0 && end + size > pack.limits[area]) break;
        parts.push(encodeHeader(record), record.stored);
        const { codec, rawLength: raw, stored } = record;
        places.push({ segment: segment.number, offset: end, stored: stored.length, raw, codec });
        end += size;
      }
      segment.write(parts, () => pack.fault(before));
    }
    return places;
  } catch (error) {
    throw packError(error, "write", `${area} records`);
  }
}

/**
 * Makes what was written to an area durable.
 * @throws {CacheError} `unavailable`: what was not durable is lost, and uploads that need it fail
 */
export function sync(pack: Pack, area: SegmentKind): void {
  const segment = pack.active[area];
  try {
    segment.sync(() => pack.fault(area === "data" ? "commit.before_sync" : "log.before_sync"));
  } catch (thrown) {
    const error = packError(thrown, "sync", `${area} segment "${segment.identity.name}"`);
    pack.holdings.fail(segment.number, segment.end, error);
    throw error;
  }
}

/**
 * Ends what a round wrote to an area: from here on it counts. Durable by then, or with relaxed
 * durability within `RELAXED_SYNC_MS`.
 * @throws {CacheError} what `sync` throws
 */
export function settle(pack: Pack, area: SegmentKind): void {
  if (pack.options.durability !== "relaxed") return sync(pack, area);
  pack.active[area].accept();
  pack.onUnsynced();
}

function withRoom(pack: Pack, area: SegmentKind, bytes: number): ActiveSegment {
  const segment = pack.active[area];
  segment.look(pack.options.clock.monotonic());
  const fits = segment.empty || segment.end + bytes <= pack.limits[area];
  return fits && !segment.broken ? segment : roll(pack, area);
}

/**
 * Ends the active segment of an area and begins the next. When it throws, the old one goes on.
 * @throws what files and tables throw
 */
export function roll(pack: Pack, area: SegmentKind): ActiveSegment {
  const old = pack.active[area];
  pack.fault("roll.before_sync");
  if (!old.broken) sync(pack, area);
  const next = begin(pack, area, () => {
    pack.tables.setSegment(old.number, { state: "full", size: old.end, applied: old.end });
  });
  pack.restBytes += old.end;
  pack.active[area] = next;
  old.close();
  pack.fault("roll.after_tables");
  pack.onFull(old.identity);
  return next;
}

/** Makes a segment: its file first, then its row, together with what else `change` does. */
export function begin(pack: Pack, area: SegmentKind, change: () => void = () => {}): ActiveSegment {
  pack.fault("segment.before_file");
  const created = pack.options.clock.now();
  const number = pack.nextNumber;
  const identity = { ...newSegmentName(created), number, area, created };
  const file = createSegmentFile(pack.files, identity);
  try {
    pack.fault("segment.after_file");
    const [size, applied] = [SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES];
    pack.fault("roll.before_tables");
    pack.tables.transaction(() => {
      pack.tables.addSegment({ ...identity, state: "active", size, applied });
      change();
    }, { durable: true });
  } catch (error) {
    file.close();
    pack.files.remove(segmentFileName(identity.name));
    throw error;
  }
  pack.nextNumber++;
  return new ActiveSegment(identity, file, SEGMENT_HEADER_BYTES);
}

/** Hands a failure of background work to the log. */
export function reportFailure(pack: Pack, what: string, error: CacheError): void {
  pack.report({ type: "failed", what, error });
}
