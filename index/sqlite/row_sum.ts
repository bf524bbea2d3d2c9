/**
 * Checksums of rows. SQLite has none: its check compares tables with their indexes, so a bit that
 * rots where only one copy stands would become another key or another digest, unseen.
 */
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";

/** Sums of texts: the numbers of most rows are the same few. */
const textSums = new Map<string, number>();
const MAX_TEXT_SUMS = 1024;

function textSum(text: string): number {
  let sum = textSums.get(text);
  if (sum !== undefined) return sum;
  if (textSums.size >= MAX_TEXT_SUMS) textSums.clear();
  textSums.set(text, sum = crc32(text));
  return sum;
}

/** The sum of a row of `visibility`. */
export function visibleSum(
  id: Uint8Array,
  row: { readonly no: number; readonly kind: number; readonly size: number },
): number {
  return crc32(id, textSum(`${row.no} ${row.kind} ${row.size}`));
}

/** The sum of a row of `names`: its columns one behind the other, and where each ends. */
export function nameSum(columns: readonly Uint8Array[]): number {
  let sum = textSum(columns.map(({ length }) => length).join(" "));
  for (const column of columns) sum = crc32(column, sum);
  return sum;
}

/** The sum of a row of `entries`; its other columns stand in an index, too. */
export function recordSum(record: Uint8Array): number {
  return crc32(record);
}

/** The sum of a row of `summaries`, whose body these bytes are, or of `summary_gone`. */
export function summarySum(
  bytes: Uint8Array,
  { space, sequence = 0 }: { readonly space: number; readonly sequence?: number },
): number {
  return crc32(bytes, crc32(`${space} ${sequence}`));
}

/** What is wrong with the rows; `undefined` if nothing is. Reads all of them. */
export function rowProblem(db: DatabaseSync): string | undefined {
  for (const row of db.prepare(`SELECT sum, record FROM entries`).iterate()) {
    if (row.sum !== recordSum(row.record as Uint8Array)) return "a row of its entries is damaged";
  }
  const names = db.prepare(`SELECT namespace, scope, protocol, key, id, sum FROM names`);
  for (const { namespace, scope, protocol, key, id, sum } of names.iterate()) {
    const columns = [namespace, scope, protocol, key, id] as Uint8Array[];
    if (sum !== nameSum(columns)) return "a row of its names is damaged";
  }
  const visible = db.prepare(`SELECT namespace_no AS no, id, kind, size, sum FROM visibility`);
  for (const row of visible.iterate()) {
    const { no, kind, size } = row as unknown as { no: number; kind: number; size: number };
    if (row.sum !== visibleSum(row.id as Uint8Array, { no, kind, size })) {
      return "a row of its visibility is damaged";
    }
  }
  return undefined;
}
