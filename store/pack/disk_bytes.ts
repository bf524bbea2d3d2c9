/** How much of the disk the store takes. */
import fs from "node:fs";
import { isMissing } from "./errors.ts";
import type { Pack } from "./pack.ts";
import { TABLES_FILE } from "./schema.ts";

/** Bytes of segments, packs and tables. */
export function diskBytes(pack: Pack): number {
  const { data, log } = pack.active;
  const { dir, otherBytes } = pack.options;
  const tables = dir === undefined ? 0 : tableBytes(`${dir}/${TABLES_FILE}`);
  return pack.restBytes + data.end + log.end + tables + (otherBytes?.() ?? 0);
}

/** Bytes of a SQLite file and its log. */
export function tableBytes(path: string): number {
  return fileBytes(path) + fileBytes(`${path}-wal`);
}

function fileBytes(path: string): number {
  try {
    return fs.statSync(path).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}
