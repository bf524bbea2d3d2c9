/**
 * What vouches for a row of `auth.sqlite`: HMAC-SHA-256 under a key derived from `server.key`, over
 * every column but `last_used`. SQLite has no checksums: without it a bit that rots, or an edit of the
 * file, could let a token do more than it was made for.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { ServerKey } from "./server_key.ts";

const LABEL = "vitte token row v1";

/** In this order, so that no column can stand for another. */
const COLUMNS = [
  "id",
  "name",
  "turn",
  "kind",
  "hash",
  "psk",
  "verbs",
  "namespaces",
  "scope",
  "read_scopes",
  "created",
  "expires",
  "revoked",
] as const;

/** A row of `tokens`, by its columns. */
export type TokenRow = Readonly<Record<string, unknown>>;

/** Makes and checks what vouches for rows. */
export interface RowMac {
  /** 32 bytes for a row as it stands; its column `mac` does not count. */
  of(row: TokenRow): Uint8Array<ArrayBuffer>;
  /** Whether a row is as it was written. */
  isRight(row: TokenRow): boolean;
}

/** Vouches under `serverKey`. */
export function createRowMac(serverKey: Pick<ServerKey, "derive">): RowMac {
  const key = serverKey.derive(LABEL);
  const of = (row: TokenRow) => {
    const values = COLUMNS.map((name) =>
      row[name] instanceof Uint8Array ? [row[name].toHex()] : row[name] ?? null
    );
    return new Uint8Array(createHmac("sha256", key).update(JSON.stringify(values)).digest());
  };
  return {
    of,
    isRight({ mac, ...row }) {
      return mac instanceof Uint8Array && mac.length === 32 && timingSafeEqual(mac, of(row));
    },
  };
}
