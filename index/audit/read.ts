/** Reads the audit on any thread: the files only grow, and rows are in them when acknowledged. */
import { decodeAuditRow, timeOf } from "../../codec/audit_record.ts";
import { entryId } from "../../codec/entry_id.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import { scanRecords } from "../../codec/record_scan.ts";
import { throwIfAborted } from "../../core/abort.ts";
import { isWanted } from "../../core/audit.ts";
import type { AuditFilter, EntryChange } from "../../core/audit.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { EntryKey } from "../../core/entry.ts";
import { isKind } from "../../core/errors.ts";
import { auditFiles, openAuditFile } from "./files.ts";

/** Where a reader has come to. */
export interface AuditCursor {
  /** Number of the file. */
  readonly file: number;
  /** Bytes. */
  readonly offset: number;
}

/** What to read. */
export interface ReadAuditOptions extends AuditFilter, SignalOptions {
  readonly after?: AuditCursor | undefined;
  /** Only changes of exactly these entries; read fast. */
  readonly keys?: readonly EntryKey[] | undefined;
}

/** Rows looked at between two turns of everybody else. */
const STEP = 2000;

/** The changes of entries that are wanted, oldest first, each with the place behind it. */
export async function* readAudit(
  dir: string,
  context: RecordContext,
  options: ReadAuditOptions,
): AsyncGenerator<{ row: EntryChange; cursor: AuditCursor }> {
  const { after, keys, since, signal } = options;
  const ids = keys?.map((key) => entryId(context.keys, key));
  let count = 0;
  const files = auditFiles(dir).filter(({ number }) => !after || number >= after.file);
  for (const file of files) {
    using open = openAuditFile(file.path);
    if (!open) continue; // rotated away meanwhile
    const from = after?.file === file.number ? after.offset : 0;
    for (const event of scanRecords(open.read, from, file.size)) {
      if (++count % STEP === 0) {
        await new Promise((resolve) => setImmediate(resolve));
        throwIfAborted(signal);
      }
      if (event.type !== "record") continue;
      const { header, stored: body, offset } = event;
      if (ids && !ids.some((id) => equalBytes(id, header.id))) continue;
      if (since !== undefined && timeOf({ body }) < since) continue;
      const row = decodeAuditRow({ kind: "audit", id: header.id, body }, context.seal);
      if (!row || !isWanted(row, options)) continue;
      const behind = offset + RECORD_HEADER_BYTES + body.length;
      yield { row, cursor: { file: file.number, offset: behind } };
    }
  }
}

/** How many rows there are, and what is damaged. */
export interface AuditCheck {
  readonly rows: number;
  readonly problems: readonly { readonly where: string; readonly what: string }[];
}

/** Reads and checks every byte. */
export async function checkAudit(
  dir: string,
  context: RecordContext,
  { signal }: SignalOptions = {},
): Promise<AuditCheck> {
  const problems: { where: string; what: string }[] = [];
  let rows = 0;
  const files = auditFiles(dir);
  for (const file of files) {
    using open = openAuditFile(file.path);
    if (!open) continue;
    const tell = (offset: number, what: string) =>
      problems.push({ where: `audit file ${file.number}, byte ${offset}`, what });
    let count = 0;
    for (const event of scanRecords(open.read, 0, file.size)) {
      if (++count % STEP === 0) {
        await new Promise((resolve) => setImmediate(resolve));
        throwIfAborted(signal);
      }
      const last = file === files.at(-1);
      // The newest file may be in the middle of a write.
      if (event.type === "damage" || (event.type === "tail" && event.length > 0 && !last)) {
        tell(event.offset, `${event.length} bytes of the audit are damaged`);
      }
      if (event.type !== "record") continue;
      const record = { kind: "audit", id: event.header.id, body: event.stored } as const;
      try {
        if (decodeAuditRow(record, context.seal)) rows++;
      } catch (error) {
        if (!isKind(error, "corrupt")) throw error;
        tell(event.offset, "a row of the audit is damaged");
      }
    }
  }
  return { rows, problems };
}
