/** Opens the index that writes. */
import type { DatabaseSync } from "node:sqlite";
import type { RecordContext } from "../../codec/entry_record.ts";
import { CacheError, isKind, toCacheError } from "../../core/errors.ts";
import type { LogPosition } from "../../core/record.ts";
import type { IndexWriter, IndexWriterOptions } from "../contract.ts";
import { rowsOfLog } from "../audit/from_log.ts";
import { openTrail } from "../audit/trail.ts";
import type { AuditTrail } from "../audit/trail.ts";
import { prepareChanges } from "./changes.ts";
import { sqliteError, translated } from "./errors.ts";
import { isUnchecked, openIndexFile, setAside, setTrust, sizeOf } from "./open_file.ts";
import { prepareQueries } from "./queries.ts";
import { replay } from "./replay.ts";
import { SqliteWriter } from "./writer.ts";
import type { WriterParts } from "./writer.ts";

/**
 * Opens the file, or makes it, and brings it up to the end of the log. Whatever is wrong with the
 * file, it is set aside and made anew from the log, which `report` hears of; of one that is gone as well.
 * @throws {CacheError} `unsupported` for a file of a newer program, what log and SQLite threw
 */
export async function openIndexWriter(options: IndexWriterOptions): Promise<IndexWriter> {
  try {
    return await openOnce(options);
  } catch (error) {
    // Only the file is made anew; if the log is what is corrupt, the second try says so.
    if (!isKind(error, "corrupt") || options.path === ":memory:") throw error;
    reportAside(options, { reason: error.message, aside: setAside(options.path) });
    return await openOnce(options);
  }
}

async function openOnce(options: IndexWriterOptions): Promise<IndexWriter> {
  const context = { keys: options.keys, seal: options.seal };
  const { path } = options;
  const gone = path !== ":memory:" && sizeOf(path) === undefined;
  const db = openUpTo(options.log.end(), options);
  const unchecked = isUnchecked(db, options.path, options);
  let trail: AuditTrail | undefined;
  try {
    const { replayed, ...tables } = await bringUp(db, { context, options });
    if (gone && replayed > 0) {
      const text = `Cannot find the index "${path}": made anew from ${replayed} records of its log`;
      options.report(new CacheError("not_found", text, { operation: "index.open" }));
    }
    trail = await bringUpAudit({ context, options });
    return new SqliteWriter({ ...tables, trail, unchecked }, options);
  } catch (error) {
    trail?.close();
    db.close();
    throw error;
  }
}

/** A file that is ahead of its log belongs to another one: nothing of it can be trusted. */
function openUpTo(end: LogPosition, options: IndexWriterOptions): DatabaseSync {
  const { path } = options;
  const db = openIndexFile(path, options);
  const row = db.prepare(`SELECT segment, offset FROM state`).get();
  const segment = Number(row?.segment);
  const ahead = segment > end.segment ||
    segment === end.segment && Number(row?.offset) > end.offset;
  if (!ahead) return db;
  db.close();
  reportAside(options, { reason: "it is ahead of its log", aside: setAside(path) });
  return openIndexFile(path, options);
}

function reportAside(
  { path, report }: IndexWriterOptions,
  { reason, aside }: { reason: string; aside: string },
): void {
  report(
    new CacheError(
      "corrupt",
      `Cannot use the index "${path}": ${reason}, set aside as "${aside}", made anew`,
      { operation: "index.open", context: { aside } },
    ),
  );
}

async function bringUp(
  db: DatabaseSync,
  { context, options }: { context: RecordContext; options: IndexWriterOptions },
): Promise<Pick<WriterParts, "db" | "queries" | "changes"> & { readonly replayed: number }> {
  try {
    const queries = prepareQueries(db, context);
    const changes = prepareChanges(db, context, options.openRows);
    setTrust(db, "open");
    const replayed = await replay({
      log: options.log,
      changes,
      context,
      version(id) {
        try {
          return translated("index.replay", () => queries.version(id));
        } catch (error) {
          if (!isKind(error, "corrupt")) throw error;
          options.report(error);
          return undefined; // the log's version takes its place
        }
      },
      report: options.report,
    });
    return { db, queries, changes, replayed };
  } catch (error) {
    throw sqliteError(error, "index.open");
  }
}

function isAppendFailure(error: unknown): boolean {
  return error instanceof CacheError && error.operation === "audit.append";
}

/** The audit up to the end of the log. A disk without room for it does not close the store. */
async function bringUpAudit(
  { context, options }: { context: RecordContext; options: IndexWriterOptions },
): Promise<AuditTrail | undefined> {
  const { audit, log, report } = options;
  if (!audit) return undefined;
  const trail = openTrail({ ...audit, report });
  try {
    await trail.catchUp(log, (from, after) => rowsOfLog(from, after, { context, report }));
  } catch (error) {
    // What the log itself does not give is no matter of room.
    if (!isAppendFailure(error)) {
      trail.close();
      throw error;
    }
    report(toCacheError(error, "audit.open"));
  }
  return trail;
}
