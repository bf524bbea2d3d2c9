/** Entries that may be let go: all of a few scopes, or so many of them that chance chose. */
import type { DatabaseSync } from "node:sqlite";
import { decodeEntry } from "../../codec/entry_record.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import type { Bytes } from "../../core/digest.ts";
import type { Candidate } from "../contract.ts";
import type { SpaceRow } from "./numbers.ts";

/**
 * Reads entries of these spaces, of each its part of `limit`. Items are hashes: those behind a
 * point that chance chose are a fair choice, and the index of SQLite has them in order.
 */
export function sampleEntries(
  db: DatabaseSync,
  spaces: readonly SpaceRow[],
  { limit, context }: { readonly limit: number; readonly context: RecordContext },
): Candidate[] {
  const all = spaces.reduce((sum, { entries }) => sum + entries, 0);
  const columns = "sequence, used, record";
  const behind = db.prepare(
    `SELECT ${columns} FROM entries WHERE space_no = ? AND item > ? AND state = 1
     ORDER BY item LIMIT ?`,
  );
  const before = db.prepare(
    `SELECT ${columns} FROM entries WHERE space_no = ? AND item <= ? AND state = 1
     ORDER BY item LIMIT ?`,
  );
  const found: Candidate[] = [];
  for (const { no, entries } of spaces) {
    if (entries === 0) continue;
    const part = all <= limit ? entries : Math.ceil(limit * entries / all);
    const from = crypto.getRandomValues(new Uint8Array(16));
    const rows = behind.all(no, from, part);
    if (rows.length < part) rows.push(...before.all(no, from, part - rows.length));
    for (const row of rows) {
      const { facts } = decodeEntry(row.record as Bytes, context);
      const { namespace, scope, protocol, key, created, blobs } = facts;
      found.push({
        key: { namespace, scope, protocol, key },
        sequence: Number(row.sequence),
        used: Number(row.used),
        created,
        bytes: blobs.reduce((sum, { size }) => sum + size, 0),
        blobs,
      });
    }
  }
  return found;
}
