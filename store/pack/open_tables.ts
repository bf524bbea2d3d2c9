/** Opens the tables of a store, or makes new ones when they can not be used. */
import fs from "node:fs";
import { openTablesFile, TABLES_FILE } from "./schema.ts";
import { Tables } from "./tables.ts";

/** Bytes. Tables up to here are checked at every start, which costs some 20 ms. */
const CHECK_ALWAYS_BYTES = 16 * 1024 * 1024;

/** Tables, and why they are new if they are. */
export interface OpenedTables {
  readonly tables: Tables;
  /** Whether the last writer closed the store. */
  readonly clean: boolean;
  /** Why all of it must be read again from segments and packs. */
  readonly rebuild: string | undefined;
  /** Whether there was a file that could not be used. */
  readonly damaged: boolean;
}

/**
 * Opens `packs.sqlite` in a folder, or in memory. A file that is damaged or of another version is
 * set aside under `packs.sqlite.damaged`: it is only a cache of what the segments say.
 */
export function openTables(dir: string | undefined, maxSize?: number): OpenedTables {
  if (dir === undefined) {
    const tables = new Tables(openTablesFile(":memory:"));
    return { tables, clean: true, rebuild: undefined, damaged: false };
  }
  const path = `${dir}/${TABLES_FILE}`;
  if (!fs.existsSync(path)) return fresh(path, "there are none", maxSize);
  let tables: Tables | undefined;
  try {
    tables = new Tables(openTablesFile(path, maxSize));
    const clean = tables.meta("clean") === 1;
    const small = fs.statSync(path).size <= CHECK_ALWAYS_BYTES;
    const damage = clean && !small ? "ok" : quickCheck(tables);
    if (damage === "ok") return { tables, clean, rebuild: undefined, damaged: false };
    tables.close();
    return setAside(path, damage, maxSize);
  } catch (error) {
    tables?.close();
    return setAside(path, error instanceof Error ? error.message : String(error), maxSize);
  }
}

function quickCheck(tables: Tables): string {
  return String(tables.db.prepare("PRAGMA quick_check(1)").get()?.["quick_check"]);
}

function setAside(path: string, why: string, maxSize?: number): OpenedTables {
  fs.renameSync(path, `${path}.damaged`);
  for (const suffix of ["-wal", "-shm"]) fs.rmSync(path + suffix, { force: true });
  return { ...fresh(path, why, maxSize), damaged: true };
}

function fresh(path: string, rebuild: string, maxSize?: number): OpenedTables {
  return {
    tables: new Tables(openTablesFile(path, maxSize)),
    clean: false,
    rebuild,
    damaged: false,
  };
}
