/** The table of replacements, as its one writer sees it. */
import type { DatabaseSync } from "node:sqlite";
import type { Bytes } from "../../core/digest.ts";
import type { EntryId } from "../../core/entry.ts";
import { MAX_REPLACEMENTS } from "../contract.ts";

/** Prepares all statements that note, forget and tell replacements. */
export function prepareReplacements(db: DatabaseSync) {
  const insert = db.prepare(`INSERT OR REPLACE INTO replacements VALUES (?, ?, ?)`);
  const trim = db.prepare(
    `DELETE FROM replacements WHERE id = ?1 AND no <=
       (SELECT no FROM replacements WHERE id = ?1 ORDER BY no DESC LIMIT 1 OFFSET ?2)`,
  );
  const remove = db.prepare(`DELETE FROM replacements WHERE id = ?`);
  const select = db.prepare(`SELECT body FROM replacements WHERE id = ? ORDER BY no DESC`);
  return {
    note(id: EntryId, no: number, sealed: Bytes): void {
      insert.run(id, no, sealed);
      trim.run(id, MAX_REPLACEMENTS);
    },
    forget: (id: EntryId) => void remove.run(id),
    of: (id: EntryId): Bytes[] => select.all(id).map((row) => row.body as Bytes),
  };
}
