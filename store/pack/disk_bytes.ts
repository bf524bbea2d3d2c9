/** How much of the disk the store takes. */
import fs from "node:fs";
import { isMissing } from "./errors.ts";
import type { DiskRoom } from "./options.ts";
import type { Pack } from "./pack.ts";
import { TABLES_FILE } from "./schema.ts";

/** What only the file system knows of a store's size, as it was asked. */
export interface Measured {
  /** Bytes of all tables and of what else counts as the store's. */
  readonly tables: number;
  /** Room on the disk; `undefined` where nobody knows. */
  readonly room: DiskRoom | undefined;
}

/** Asks the file system: a dozen calls, so a round asks once for all its requests. */
export function measure({ options }: Pick<Pack, "options">): Measured {
  const { dir, otherBytes, maxSize, reserve } = options;
  const tables = dir === undefined ? 0 : tableBytes(`${dir}/${TABLES_FILE}`);
  return {
    tables: tables + (otherBytes?.() ?? 0),
    room: maxSize === undefined ? undefined : reserve(),
  };
}

/** Bytes of segments, packs and tables. */
export function diskBytes(pack: Pack, { tables } = pack.measured ?? measure(pack)): number {
  const { data, log } = pack.active;
  return pack.restBytes + data.end + log.end + tables;
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
