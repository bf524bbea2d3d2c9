/** Brings the tables up to the end of the log: after a crash its tail, without a file all of it. */
import { decodeEntry, decodeTombstone } from "../../codec/entry_record.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import { decodeKeep } from "../../codec/keep_record.ts";
import { decodeVisibility } from "../../codec/visibility_record.ts";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import { equalBytes } from "../../core/bytes.ts";
import { compareStamps } from "../../core/entry.ts";
import type { EntryId } from "../../core/entry.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import type { ScanItem } from "../../core/metadata_index.ts";
import type { LogPort, LogPosition, LogRecord } from "../../core/record.ts";
import { replacementOf, sealReplacement } from "../replacement.ts";
import type { Changes, Transaction } from "./changes.ts";

/** Records of one transaction: fewer cost time, more cost memory. */
const BATCH_RECORDS = 20_000;
/** Bytes of one transaction's records. */
const BATCH_BYTES = 32 * 1024 * 1024;

/** What a replay needs. */
export interface ReplayOptions {
  readonly log: LogPort;
  readonly changes: Changes;
  readonly context: RecordContext;
  /** The stored version; `undefined` also for one that cannot be read. */
  readonly version: (id: EntryId) => ScanItem | undefined;
  readonly report: (error: CacheError) => void;
}

/**
 * Applies what the log holds behind the tables' position; tells how many records that were.
 * The newest stamp wins, in whatever order versions come; links and unlinks count in log order.
 * A record that cannot be read is reported and skipped.
 * @throws {CacheError} `unsupported` for a record of a newer program, what log and SQLite threw
 */
export async function replay(options: ReplayOptions): Promise<number> {
  const { log, changes } = options;
  const { position } = changes.state;
  const from = position.segment === 0 ? undefined : position;
  let batch: LogRecord[] = [];
  let bytes = 0;
  let reached: LogPosition = position;
  let count = 0;

  function flush(): void {
    if (batch.length === 0) return;
    changes.transaction((transaction) => {
      for (const record of batch) apply(record, transaction, options);
      transaction.state.position = reached;
    });
    count += batch.length;
    batch = [];
    bytes = 0;
  }

  for await (const { record, position: behind } of log.scan(from)) {
    batch.push(record);
    bytes += record.body.length;
    reached = behind;
    if (batch.length >= BATCH_RECORDS || bytes >= BATCH_BYTES) flush();
  }
  flush();
  return count;
}

function apply(record: LogRecord, transaction: Transaction, options: ReplayOptions): void {
  transaction.state.logBytes += RECORD_HEADER_BYTES + record.body.length;
  try {
    switch (record.kind) {
      case "entry":
      case "tombstone":
        return applyVersion({ kind: record.kind, id: record.id, body: record.body }, {
          transaction,
          options,
        });
      case "visibility": {
        const { namespace, linked, blobs } = decodeVisibility(record.body, options.context);
        return transaction.putVisibility({ namespace, linked, blobs });
      }
      case "pin":
        return transaction.keep({
          record: { kind: "pin", id: record.id, body: record.body },
          change: decodeKeep(record.body, options.context.seal),
        });
      case "audit":
        return; // not the index's
      default:
        record.kind satisfies never;
    }
  } catch (error) {
    // The log's own checksum was right, so it was written like this; all others still count.
    if (!isKind(error, "corrupt")) throw error;
    options.report(
      new CacheError("corrupt", `Cannot rebuild from a log record: ${error.message}, skipped`, {
        operation: "index.replay",
        cause: error,
      }),
    );
  }
}

function applyVersion(
  record: LogRecord & { readonly kind: "entry" | "tombstone" },
  { transaction, options }: { transaction: Transaction; options: ReplayOptions },
): void {
  const { context } = options;
  const { key, stamp, facts, entryId } = opened(record, context);
  if (!equalBytes(entryId, record.id)) {
    throw new CacheError("corrupt", "Cannot read a log record: its id is not its entry's", {
      operation: "index.replay",
    });
  }
  const stored = options.version(record.id);
  const storedStamp = stored?.type === "entry" ? stored.entry.stamp : stored?.tombstone.stamp;
  if (stamp.hlc > transaction.state.hlc) transaction.state.hlc = stamp.hlc;
  if (storedStamp && compareStamps(stamp, storedStamp) <= 0) return;
  const sequence = transaction.state.sequence + 1;
  transaction.putVersion({ record, key, stamp, sequence });
  if (stored?.type !== "entry" || !facts) return;
  const replacement = replacementOf(stored.entry, facts);
  transaction.noteReplacement(
    record.id,
    sequence,
    sealReplacement(replacement, context.seal, record.id),
  );
}

function opened(record: LogRecord, context: RecordContext) {
  if (record.kind === "tombstone") {
    return { ...decodeTombstone(record.body, context), facts: undefined };
  }
  const entry = decodeEntry(record.body, context);
  return { ...entry, key: entry.facts };
}
