/** Writes the log anew with only what is alive. */
import type { DatabaseSync } from "node:sqlite";
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
import type { Changes } from "./changes.ts";
import type { Queries } from "./queries.ts";

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
export async function compactLog(options: CompactionOptions): Promise<void> {
  const { db, log, changes, context } = options;
  const pins = await pinsOf(log);
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
  const position = await log.compact(
    counted(liveRecords(options, { pins, horizon }), (record) => {
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
}

/** Visibility first, then versions oldest first: a rebuild gives them sequences in that order. */
function* liveRecords(
  { db, changes, queries, context }: CompactionOptions,
  { pins, horizon }: { pins: Iterable<LogRecord>; horizon: bigint },
): Generator<LogRecord> {
  yield* pins;
  for (const { name } of changes.namespaces()) {
    let blobs = queries.visibleAfter(name, undefined, PAGE);
    while (blobs.length > 0) {
      yield encodeVisibility({ namespace: name, linked: true, blobs }, context);
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
      if (kind === "entry" || !isOlder(body, horizon)) yield { kind, id, body };
    }
    page = queries.changes(page.at(-1)!.sequence, PAGE); // not empty
  }
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

/** The newest pin of each id: they are no concern of the index, but stand in the same log. */
async function pinsOf(log: LogPort): Promise<Iterable<LogRecord>> {
  const pins = new Map<string, LogRecord>();
  for await (const { record } of log.scan()) {
    if (record.kind === "pin") pins.set(toHex(record.id), record);
  }
  return pins.values();
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
