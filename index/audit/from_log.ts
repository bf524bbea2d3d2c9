/** Rows of the audit from the log: each note with the change behind it. */
import { decodeNote, encodeAuditRow } from "../../codec/audit_record.ts";
import type { AuditNote, AuditPlace } from "../../codec/audit_record.ts";
import { decodeEntry, decodeTombstone } from "../../codec/entry_record.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import type { EntryChange } from "../../core/audit.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { EntryFacts, EntryKey } from "../../core/entry.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import type { LogPort, LogPosition, LogRecord } from "../../core/record.ts";
import type { ReadyRow } from "./trail.ts";

/** What is needed to make rows. */
export interface FromLogOptions {
  readonly context: RecordContext;
  readonly report: (error: CacheError) => void;
}

/**
 * The rows of all changes newer than `after`. A note whose change is missing was cut off by a
 * crash: the change never happened. What can not be read is reported and skipped.
 */
export async function* rowsOfLog(
  log: LogPort,
  after: AuditPlace,
  { context, report }: FromLogOptions,
): AsyncGenerator<ReadyRow> {
  let note: LogRecord | undefined;
  let position = after.position;
  for await (const { record, position: behind } of log.scan(startOf(log, after.position))) {
    const about = note;
    note = record.kind === "audit" ? record : undefined;
    const changes = record.kind === "entry" || record.kind === "tombstone";
    if (about && changes && equalBytes(about.id, record.id)) {
      try {
        const row = rowOf(about, record, { context, position });
        if (row.hlc > after.hlc) yield row;
      } catch (error) {
        if (!isKind(error, "corrupt")) throw error;
        report(
          new CacheError("corrupt", `Cannot audit a change of the log: ${error.message}, skipped`, {
            operation: "audit.catch_up",
            cause: error,
          }),
        );
      }
    }
    // Never between a note and its change: a scan that begins there would miss the note.
    if (!note) position = behind;
  }
}

/** A position that the log does not have belongs to another log: everything is looked at. */
function startOf(log: LogPort, position: LogPosition): LogPosition | undefined {
  const end = log.end();
  const ahead = position.segment > end.segment ||
    (position.segment === end.segment && position.offset > end.offset);
  return ahead || position.segment === 0 ? undefined : position;
}

function rowOf(
  about: LogRecord,
  record: LogRecord,
  { context, position }: { context: RecordContext; position: LogPosition },
): ReadyRow {
  const note = decodeNote(about, context.seal);
  const { body } = record;
  if (record.kind === "tombstone") {
    const { key, stamp } = decodeTombstone(body, context);
    return readyRow({ note, key, facts: undefined }, { hlc: stamp.hlc, position, record, context });
  }
  const { facts, stamp } = decodeEntry(body, context);
  return readyRow({ note, key: facts, facts }, { hlc: stamp.hlc, position, record, context });
}

/** The row of a change and its note. */
export function readyRow(
  change: {
    readonly note: AuditNote;
    readonly key: EntryKey;
    /** `undefined` for a deletion. */
    readonly facts: Pick<EntryFacts, "writer" | "blobs"> | undefined;
  },
  place: AuditPlace & { readonly record: LogRecord; readonly context: RecordContext },
): ReadyRow {
  const { note, key, facts } = change;
  const { hlc, position, record, context } = place;
  const row: EntryChange = {
    kind: note.kind,
    at: note.at,
    writer: facts ? facts.writer : note.writer,
    namespace: key.namespace,
    scope: key.scope,
    protocol: key.protocol,
    key: key.key,
    before: note.before,
    after: facts?.blobs[0]?.digest,
  };
  return { hlc, record: encodeAuditRow(row, { hlc, position, id: record.id }, context.seal) };
}
