/**
 * The audit of tokens: a table of `auth.sqlite`, written in the transaction of the change itself,
 * so that there is never one without the other.
 *
 * ```
 * changes(no, at, writer,        grows; milliseconds since 1970; name of the token that did it
 *         action, name, id,      create | rotate | revoke; the token and its id afterwards
 *         namespaces)            JSON
 * ```
 */
import type { DatabaseSync } from "node:sqlite";
import type { TokenChange } from "../core/audit.ts";
import { AUDIT_TOKEN_ROWS } from "../core/limits.ts";
import type { TokenInfo } from "../core/token_admin.ts";

/** Makes the table; stores of before have none. */
export const CHANGES_SCHEMA = `
CREATE TABLE IF NOT EXISTS changes (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  writer TEXT NOT NULL,
  action TEXT NOT NULL,
  name TEXT NOT NULL,
  id TEXT NOT NULL,
  namespaces TEXT NOT NULL
) STRICT;
`;

/** A change with the number that it has for ever. */
export interface NumberedChange {
  readonly no: number;
  readonly row: TokenChange;
}

/** Notes a change, inside the transaction that makes it. The oldest notes go beyond a limit. */
export function noteChange(
  database: DatabaseSync,
  info: Pick<TokenInfo, "name" | "id" | "namespaces">,
  change: Pick<TokenChange, "action" | "writer" | "at">,
): void {
  const { at, writer, action } = change;
  const { lastInsertRowid } = database.prepare(
    "INSERT INTO changes (at, writer, action, name, id, namespaces) VALUES (?, ?, ?, ?, ?, ?)",
  ).run(at, writer, action, info.name, info.id, JSON.stringify(info.namespaces));
  database.prepare("DELETE FROM changes WHERE no <= ?").run(
    Number(lastInsertRowid) - AUDIT_TOKEN_ROWS,
  );
}

/** Changes behind a number, the oldest first. */
export function changesAfter(
  database: DatabaseSync,
  after: number,
  limit: number,
): NumberedChange[] {
  const rows = database.prepare("SELECT * FROM changes WHERE no > ? ORDER BY no LIMIT ?")
    .all(after, limit);
  return rows.map((row) => ({
    no: Number(row.no),
    row: {
      kind: "token",
      at: Number(row.at),
      writer: String(row.writer),
      action: String(row.action) as TokenChange["action"],
      token: String(row.name),
      id: String(row.id),
      namespaces: JSON.parse(String(row.namespaces)) as string[],
    },
  }));
}
