/** The item ids of one namespace and scope, as an index of SQLite's holds them in their order. */
import type { DatabaseSync } from "node:sqlite";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { idsOf, ITEM_BYTES } from "../../core/summary/item.ts";
import type { ItemSource } from "../../core/summary/item.ts";
import { translated } from "./errors.ts";

/** The `item` of a row that is in no summary: it stands before all ids. */
export const NO_ITEM = new Uint8Array(0);

/** Prepares the questions; the result makes the source of one space. */
export function prepareItems(db: DatabaseSync): (space: number) => ItemSource {
  // One row of text: an object and an array for each id would cost ten times as much.
  const between = db.prepare(
    `SELECT group_concat(hex(item), '' ORDER BY item) AS ids FROM entries
     WHERE space_no = ? AND item BETWEEN ? AND ?`,
  );
  const behind = db.prepare(
    `SELECT group_concat(hex(item), '' ORDER BY item) AS ids FROM
       (SELECT item FROM entries WHERE space_no = ? AND item > ? ORDER BY item LIMIT ?)`,
  );
  return (space) => ({
    items(prefix) {
      const { first, last } = idsOf(prefix);
      return translated("index.summary", () => packed(between.get(space, first, last)?.ids));
    },
    after: (after, limit) =>
      translated("index.summary", () => {
        return packed(behind.get(space, after ?? NO_ITEM, limit)?.ids);
      }),
  });
}

function packed(hex: unknown): Bytes {
  const bytes = Uint8Array.fromHex(typeof hex === "string" ? hex : "") as Bytes;
  if (bytes.length % ITEM_BYTES === 0) return bytes;
  throw new CacheError("corrupt", "Cannot summarize the index: an item id of it is damaged", {
    operation: "index.summary",
  });
}
