/** All ids of a table, many at a time. */
import type { DatabaseSync } from "node:sqlite";
import type { Bytes } from "../../core/digest.ts";
import type { IdPages } from "../../core/id_pages.ts";

/** Ids of all entries, tombstones included. */
export function entryIds(db: DatabaseSync): IdPages {
  const page = db.prepare(joined("entries WHERE id > ?"));
  return (after, limit) => idsOf(page.get(after ?? NOTHING, limit));
}

/** Ids of the blobs that a namespace sees; `large` are those with a recipe. */
export function visibleIds(db: DatabaseSync, namespace: number, large: boolean): IdPages {
  const page = db.prepare(
    joined("visibility WHERE namespace_no = ? AND id > ? AND (kind <> 1) = ?"),
  );
  return (after, limit) => idsOf(page.get(namespace, after ?? NOTHING, large ? 1 : 0, limit));
}

const NOTHING = new Uint8Array(0);

/** Joined by SQLite itself: a row of its own for each would take six times as long. */
function joined(rows: string): string {
  return `SELECT CAST(group_concat(id, '') AS BLOB) AS ids
    FROM (SELECT id FROM ${rows} ORDER BY id LIMIT ?)`;
}

function idsOf(row: Record<string, unknown> | undefined): Bytes {
  return (row?.["ids"] ?? NOTHING) as Bytes;
}
