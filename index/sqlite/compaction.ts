/** Writes the log anew with only what is alive. */
import type { DatabaseSync } from "node:sqlite";
import type { BlobRow } from "../../codec/clear_part.ts";
import { decodeEntry, decodeTombstone, readClearPart } from "../../codec/entry_record.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import { encodeVisibility } from "../../codec/visibility_record.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { toHex } from "../../core/digest.ts";
import type { EntryId } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import type { LogPort, LogRecord } from "../../core/record.ts";
import type { Forgotten } from "../contract.ts";
import type { Changes } from "./changes.ts";
import type { Queries } from "./queries.ts";
import { blobRow } from "./round_blobs.ts";

/** Milliseconds that a tombstone is kept, so that peers which were away learn of it. */
export const TOMBSTONE_KEEP_MS = 30 * 24 * 60 * 60 * 1000;

/** Times what is alive that a log may hold. */
const GROWTH = 4;
/** Bytes below which a log is never worth the work. */
const FLOOR_BYTES = 1024 * 1024;
/** Rows that are read, and blobs that go into one record, at a time. */
const PAGE = 1000;

/** What a compaction needs. */
export interface CompactionOptions {
  readonly db: DatabaseSync;
  readonly log: LogPort;
  readonly changes: Changes;
  readonly queries: Queries;
  readonly context: RecordContext;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Entries that name such a blob are forgotten, and who may see it. Default: nothing is. */
  readonly isLost?: ((blob: BlobRow) => boolean) | undefined;
}

/** Whether the log has grown enough to be written anew. */
export function isCompactionDue(changes: Changes): boolean {
  const { logBytes, liveBytes } = changes.state;
  return logBytes > GROWTH * liveBytes + FLOOR_BYTES;
}

/**
 * Compacts the log; nothing else may be written meanwhile. A crash at any point is safe: the old
 * log or the new one is replayed over tables that hold the same already.
 */
export async function compactLog(options: CompactionOptions): Promise<Forgotten> {
  const { db, log, changes, context } = options;
  // The new log no longer tells what was unlinked or dropped, so the tables must know it for
  // sure before the old one goes. With NORMAL a power cut could take them back further.
  db.prepare(`PRAGMA synchronous = FULL`).run();
  try {
    changes.transaction(() => {});
  } finally {
    db.prepare(`PRAGMA synchronous = NORMAL`).run();
  }
  const horizon = BigInt(Math.max(0, Math.floor(options.now - TOMBSTONE_KEEP_MS))) * 65_536n;
  let bytes = 0;
  const lost: Lost = { entries: [], marks: [] };
  const position = await log.compact(
    counted(liveRecords(options, { horizon, lost }), (record) => {
      bytes += RECORD_HEADER_BYTES + record.body.length;
    }),
  );
  changes.transaction((transaction) => {
    transaction.state.position = position;
    transaction.state.logBytes = bytes;
    for (const { id, record } of tombstones(db)) {
      if (isOlder(record, horizon)) transaction.forget(id, decodeTombstone(record, context).key);
    }
  });
  return await forgetLost(options, lost);
}

/**
 * Visibility first, then versions oldest first: a rebuild gives them sequences in that order. Pins
 * stand behind what they pin.
 */
function* liveRecords(
  { db, changes, queries, context, isLost }: CompactionOptions,
  { horizon, lost }: { horizon: bigint; lost: Lost },
): Generator<LogRecord> {
  for (const { name } of changes.namespaces()) {
    let blobs = queries.visibleAfter(name, undefined, PAGE);
    while (blobs.length > 0) {
      const gone = isLost ? blobs.map(blobRow).filter((row) => isGone(row, isLost)) : [];
      if (gone.length > 0) lost.marks.push({ namespace: name, blobs: gone });
      const kept = gone.length > 0 ? blobs.filter((blob) => !isGone(blobRow(blob), isLost)) : blobs;
      if (kept.length > 0) {
        yield encodeVisibility({ namespace: name, linked: true, blobs: kept }, context);
      }
      blobs = queries.visibleAfter(name, blobs.at(-1)?.digest, PAGE);
    }
  }
  const select = db.prepare(`SELECT state, record FROM entries WHERE sequence = ?`);
  let page = queries.changes(0, PAGE);
  while (page.length > 0) {
    for (const { id, sequence } of page) {
      const row = select.get(sequence);
      if (!row) continue;
      const body = row.record as Bytes;
      const kind = row.state === 1 ? "entry" : "tombstone";
      checkRecord({ kind, id, body }, context);
      if (kind === "entry" && readClearPart(body).blobs.some((blob) => isGone(blob, isLost))) {
        lost.entries.push(id);
        continue;
      }
      if (kind === "entry" || !isOlder(body, horizon)) yield { kind, id, body };
    }
    page = queries.changes(page.at(-1)!.sequence, PAGE); // not empty
  }
  const gone = new Set(lost.entries.map((id) => toHex(id)));
  for (const pin of changes.pins()) if (!gone.has(toHex(pin.id))) yield pin;
}

function isGone(blob: BlobRow, isLost: CompactionOptions["isLost"]): boolean {
  return isLost !== undefined && blob.size > 0 && isLost(blob);
}

/** What the new log no longer tells. */
interface Lost {
  readonly entries: EntryId[];
  readonly marks: { readonly namespace: string; readonly blobs: readonly BlobRow[] }[];
}

/**
 * Takes out of the tables what the new log no longer tells, in steps between which others get a
 * turn. What a crash leaves of it is incomplete as before, and forgotten the next time.
 */
async function forgetLost(
  { db, changes, context }: CompactionOptions,
  lost: Lost,
): Promise<Forgotten> {
  const select = db.prepare(`SELECT record FROM entries WHERE id = ?`);
  for (let from = 0; from < lost.entries.length; from += PAGE) {
    changes.transaction((transaction) => {
      for (const id of lost.entries.slice(from, from + PAGE)) {
        const body = select.get(id)?.record as Bytes | undefined;
        if (body) transaction.forget(id, decodeEntry(body, context).facts);
      }
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
  let blobs = 0;
  for (const mark of lost.marks) {
    blobs += mark.blobs.length;
    changes.transaction((transaction) => transaction.putVisibility({ ...mark, linked: false }));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { entries: lost.entries.length, blobs };
}

/**
 * A row that rotted must not take the place of the good record in the log: this throws, the
 * compaction fails and the old log stays.
 */
function checkRecord(record: LogRecord, context: RecordContext): void {
  const { entryId } = record.kind === "entry"
    ? decodeEntry(record.body, context)
    : decodeTombstone(record.body, context);
  if (equalBytes(entryId, record.id)) return;
  throw new CacheError("corrupt", "Cannot compact the log: a row of the index is damaged", {
    operation: "index.compact",
  });
}

/** All tombstones; records of tombstones are small. */
function tombstones(db: DatabaseSync): { id: EntryId; record: Bytes }[] {
  return db.prepare(`SELECT id, record FROM entries WHERE state = 0`).all().map((row) => ({
    id: row.id as EntryId,
    record: row.record as Bytes,
  }));
}

function isOlder(record: Bytes, horizon: bigint): boolean {
  return readClearPart(record).stamp.hlc < horizon;
}

function* counted<T>(items: Iterable<T>, count: (item: T) => void): Generator<T> {
  for (const item of items) {
    count(item);
    yield item;
  }
}
