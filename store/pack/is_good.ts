/** The strictest look at one record. */
import { openBody } from "../../codec/record.ts";
import { equalBytes } from "../../core/bytes.ts";
import { sha256 } from "../../core/digest.ts";
import type { Bytes } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import type { DataKind } from "../../core/record.ts";
import type { Place } from "./places.ts";
import { checkRecord } from "./segment_bytes.ts";

/** Whether bytes are the record of a row: header, CRC-32, codec, and the SHA-256 of a chunk. */
export function isGood(bytes: Bytes, row: Place & { kind: DataKind; id: Bytes }): boolean {
  const checked = checkRecord(bytes, row);
  if (!checked) return false;
  try {
    const body = openBody(checked.header, checked.stored);
    return row.kind !== "chunk" || equalBytes(sha256(body), row.id);
  } catch (error) {
    if (isKind(error, "corrupt")) return false;
    throw error;
  }
}
