/** Cuts damage out of a file of the audit: what is lost is lost, and no reader trips over it. */
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import { scanRecords } from "../../codec/record_scan.ts";
import { openAuditFile } from "./files.ts";
import type { AuditFile } from "./files.ts";

/**
 * Writes a full file anew with its good records alone; tells its size. It has its name only when
 * it is whole and durable. A file without damage is left as it is.
 */
export function mendFile(file: AuditFile): number {
  const good = goodRanges(file);
  const size = good.reduce((sum, { length }) => sum + length, 0);
  if (size === file.size) return size;
  const temporary = `${file.path}.tmp`;
  const target = openSync(temporary, "w", 0o600);
  try {
    using source = openAuditFile(file.path);
    for (const { offset, length } of source ? good : []) {
      const bytes = source!.read(offset, length);
      for (let at = 0; at < length;) at += writeSync(target, bytes, at, length - at);
    }
    fsyncSync(target);
  } finally {
    closeSync(target);
  }
  renameSync(temporary, file.path);
  return size;
}

/** Good records, neighbours together. */
function goodRanges({ path, size }: AuditFile): { offset: number; length: number }[] {
  using file = openAuditFile(path);
  const ranges: { offset: number; length: number }[] = [];
  for (const event of file ? scanRecords(file.read, 0, size) : []) {
    if (event.type !== "record") continue;
    const length = RECORD_HEADER_BYTES + event.stored.length;
    const last = ranges.at(-1);
    if (last && last.offset + last.length === event.offset) last.length += length;
    else ranges.push({ offset: event.offset, length });
  }
  return ranges;
}
