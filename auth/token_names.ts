/** Rows of tokens by their names, and whether they may be believed. */
import type { DatabaseSync } from "node:sqlite";
import { CacheError } from "../core/errors.ts";
import type { TokenInfo } from "../core/token_admin.ts";
import type { RowMac, TokenRow } from "./row_mac.ts";
import { damagedToken, rowToToken } from "./token_rows.ts";

/** Tells rows that are as they were written from others. */
export class RowGuard {
  readonly mac: RowMac;
  readonly #onDamage: ((error: CacheError) => void) | undefined;
  readonly #told = new Set<unknown>();

  /** `onDamage` hears of each row that is not as it was written, once. */
  constructor(mac: RowMac, onDamage: ((error: CacheError) => void) | undefined) {
    this.mac = mac;
    this.#onDamage = onDamage;
  }

  /** Whether a row is as it was written; tells of one that is not. */
  isRight(row: TokenRow): boolean {
    if (this.mac.isRight(row)) return true;
    if (this.#told.has(row.id)) return false;
    this.#told.add(row.id);
    this.#onDamage?.(notAsWritten(String(row.name)));
    return false;
  }
}

/** The newest token of a name; `damaged` where its row is not as it was written, and has no rights. */
export interface LatestToken {
  readonly info: TokenInfo;
  readonly turn: number;
  readonly damaged?: CacheError;
}

/** Finds that token. @throws {CacheError} `not_found` */
export function latestOf(database: DatabaseSync, name: string, guard: RowGuard): LatestToken {
  const row = database.prepare(
    "SELECT * FROM tokens WHERE name = ? ORDER BY turn DESC LIMIT 1",
  ).get(name);
  if (row) {
    const turn = Number(row.turn);
    if (guard.isRight(row)) return { info: rowToToken(row).info, turn };
    return { info: damagedToken(row), turn, damaged: notAsWritten(name) };
  }
  throw new CacheError("not_found", `Cannot find the token "${name.slice(0, 80)}"`, {
    operation: "token_store.find",
    hint: "see the names with: token list",
  });
}

/** @throws {CacheError} `conflict` where the name or the id was ever used */
export function refuseKnown(database: DatabaseSync, name: string, id: string): void {
  const row = database.prepare(
    "SELECT name, revoked FROM tokens WHERE name = ? OR id = ? ORDER BY turn DESC LIMIT 1",
  ).get(name, id);
  if (!row) return;
  const state = row.name === name
    ? `the name is taken${row.revoked === null ? "" : " by a revoked token"}`
    : `the same token is known as "${row.name}"`;
  throw new CacheError("conflict", `Cannot make the token "${name}": ${state}`, {
    operation: "token_store.create",
    hint: `take another name, or "token rotate ${row.name}" for a new secret under the same name`,
  });
}

function notAsWritten(name: string): CacheError {
  return new CacheError(
    "corrupt",
    `Cannot use the token "${name.slice(0, 80)}": its row in auth.sqlite is not as it was written`,
    {
      operation: "token_store.find",
      hint: "revoke it, and make one with another name",
    },
  );
}
