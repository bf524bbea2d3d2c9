/** Reads everything and says what is not what it should be. */
import { throwIfAborted } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
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
  readonly records: number;
  readonly bytes: number;
  /** Records that are not what their row or their id says. */
  readonly damaged: number;
  /** Of these, how many were quarantined by this run. */
  readonly quarantined: number;
}

/** Rows looked up at once. */
const STEP = 256;
/** Bytes read between two turns of everybody else. */
const STEP_BYTES = 4 * 1024 * 1024;

/** Checks CRC-32 of every data record, and SHA-256 of every chunk against its id. */
export async function verifyAll(pack: Pack, options: VerifyOptions): Promise<Verified> {
  const found = { records: 0, bytes: 0, damaged: 0, quarantined: 0 };
  for (const { number } of pack.tables.segments("data")) {
    let from = 0;
    for (let rows = pack.tables.rowsOf(number, from, STEP); rows.length > 0;) {
      throwIfAborted(options.signal);
      // Each step opens the segment again: it may have been sealed or moved meanwhile.
      await verifyRows(pack, rows, { ...options, found });
      from = rows[rows.length - 1]!.offset + 1;
      await breathe();
      rows = pack.tables.rowsOf(number, from, STEP);
    }
  }
  return found;
}

async function verifyRows(
  pack: Pack,
  rows: readonly LocatedRecord[],
  options: VerifyOptions & { found: { -readonly [K in keyof Verified]: Verified[K] } },
): Promise<void> {
  const { found } = options;
  const segment = pack.tables.segment(rows[0]!.segment);
  if (!segment) return;
  using source = openSegment({ files: pack.files, objects: pack.options.objects }, segment);
  let bytes = 0;
  for (const row of rows) {
    const good = source !== undefined &&
      isGood(await source.read(row.offset, recordBytes(row)), row);
    const now = pack.tables.find(row.kind, row.id);
    // It has moved or gone since: what was read there says nothing any more.
    if (now?.segment !== row.segment || now.offset !== row.offset) continue;
    found.records++;
    found.bytes += row.raw;
    bytes += row.stored;
    if (!good) {
      found.damaged++;
      if (options.repair && noteDamage(pack, { ...row, length: recordBytes(row) })) {
        found.quarantined++;
      }
    }
    if (bytes < STEP_BYTES) continue;
    bytes = 0;
    throwIfAborted(options.signal);
    await breathe();
  }
}
