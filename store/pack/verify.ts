/** Reads everything and says what is not what it should be. */
import { throwIfAborted } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import { checkFrame } from "./check_frame.ts";
import { checkLog } from "./check_log.ts";
import { noteDamage } from "./damage.ts";
import { isGood } from "./is_good.ts";
import { breathe } from "./jobs.ts";
import type { Pack } from "./pack.ts";
import { recordBytes } from "./places.ts";
import { openSegment } from "./segment_bytes.ts";
import type { LocatedRecord } from "./tables.ts";

/** Options of a verification. */
export interface VerifyOptions extends SignalOptions {
  /** Quarantines what is damaged, so that it is a miss. Default: it is only told. */
  readonly repair?: boolean | undefined;
}

/** What a verification found. */
export interface Verified {
  /** Data records. */
  readonly records: number;
  /** Bytes of their plain bodies. */
  readonly bytes: number;
  /** Records that are not what their row or their id says, and damaged places of other kinds. */
  readonly damaged: number;
  /** Of these, how many were quarantined by this run. */
  readonly quarantined: number;
  /** Bytes read from the medium. */
  readonly read: number;
}

/** The counts of a verification that is under way. */
export type Found = { -readonly [K in keyof Verified]: Verified[K] };

/** Where a verification stands: everything before it was read. */
export interface VerifyPosition {
  /** The number of a segment; those before it are done. */
  readonly segment: number;
  /** Bytes of it that are done. */
  readonly offset: number;
}

/** Rows of one step. */
const STEP = 256;
/** Rows looked up at once: they are done with before a collector moves them to what is old. */
const ROWS = 32;
/** Bytes read between two turns of everybody else. */
const STEP_BYTES = 1024 * 1024;

/**
 * Checks CRC-32 of every record, SHA-256 of every chunk against its id, and header and footer of
 * every segment.
 */
export async function verifyAll(pack: Pack, options: VerifyOptions): Promise<Verified> {
  const found: Found = { records: 0, bytes: 0, damaged: 0, quarantined: 0, read: 0 };
  let position: VerifyPosition | undefined = { segment: 0, offset: 0 };
  while (position) {
    throwIfAborted(options.signal);
    position = await verifyPart(pack, position, { ...options, found });
    await breathe();
  }
  return found;
}

/**
 * Checks what stands at a position, about 1 MiB of it, and adds to `found`; tells where to go on,
 * `undefined` at the end of all segments.
 */
export async function verifyPart(
  pack: Pack,
  { segment: number, offset }: VerifyPosition,
  options: VerifyOptions & { readonly found: Found },
): Promise<VerifyPosition | undefined> {
  // Each step looks the segment up again: it may have been sealed, moved or evicted meanwhile.
  const segment = pack.tables.segments().find((row) => row.number >= number);
  if (!segment) return undefined;
  const from = segment.number === number ? offset : 0;
  const behind = { segment: segment.number + 1, offset: 0 };
  if (segment.state === "dropping" || segment.state === "building") return behind;
  if (segment.area === "log") {
    const next = await checkLog(pack, segment, { ...options, from, bytes: STEP_BYTES });
    if (next !== undefined) return { segment: segment.number, offset: next };
  } else {
    const next = await verifyData(pack, { segment: segment.number, offset: from }, options);
    if (next) return next;
  }
  await checkFrame(pack, segment, options);
  return behind;
}

/** A step in a data segment; `undefined` behind its last record. */
async function verifyData(
  pack: Pack,
  { segment, offset }: VerifyPosition,
  options: VerifyOptions & { readonly found: Found },
): Promise<VerifyPosition | undefined> {
  let next: VerifyPosition | undefined;
  let bytes = 0;
  for (let done = 0; done < STEP && bytes < STEP_BYTES; done += ROWS) {
    const rows = pack.tables.rowsOf(segment, next?.offset ?? offset, ROWS);
    const end = rows.findIndex((row) => (bytes += row.stored) >= STEP_BYTES);
    const part = end < 0 ? rows : rows.slice(0, end + 1);
    if (part.length === 0) return next;
    await verifyRows(pack, part, options);
    next = { segment, offset: part[part.length - 1]!.offset + 1 };
  }
  return next;
}

async function verifyRows(
  pack: Pack,
  rows: readonly LocatedRecord[],
  { found, repair }: VerifyOptions & { readonly found: Found },
): Promise<void> {
  const segment = pack.tables.segment(rows[0]!.segment);
  if (!segment) return;
  using source = openSegment({ files: pack.files, objects: pack.options.objects }, segment);
  for (const row of rows) {
    const good = source !== undefined &&
      isGood(await source.read(row.offset, recordBytes(row)), row);
    const now = pack.tables.find(row.kind, row.id);
    // It has moved or gone since: what was read there says nothing any more.
    if (now?.segment !== row.segment || now.offset !== row.offset) continue;
    found.records++;
    found.read += recordBytes(row);
    found.bytes += row.raw;
    if (good) continue;
    found.damaged++;
    if (repair && noteDamage(pack, { ...row, length: recordBytes(row) })) found.quarantined++;
  }
}
