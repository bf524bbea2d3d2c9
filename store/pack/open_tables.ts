/** Opens the tables of a store, or makes new ones when they can not be used. */
import fs from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { PackWriterOptions } from "./options.ts";
import { openTablesFile, TABLES_FILE } from "./schema.ts";
import { Tables } from "./tables.ts";

/** Bytes. Tables up to here are checked before each start, which costs some 50 ms; larger ones late. */
const CHECK_FIRST_BYTES = 16 * 1024 * 1024;

/** Tables, and why they are new if they are. */
export interface OpenedTables {
  readonly tables: Tables;
  /** Whether the last writer closed the store. */
  readonly clean: boolean;
  /** Whether they are large and have still to be checked, because the last stop was unclean. */
  readonly unchecked: boolean;
  /** Why all of it must be read again from segments and packs. */
  readonly rebuild: string | undefined;
  /** Whether there was a file that could not be used. */
  readonly damaged: boolean;
}

/**
 * Opens `packs.sqlite` in a folder, or in memory. A file that is damaged or of another version is
 * set aside under `packs.sqlite.damaged`: it is only a cache of what the segments say.
 */
export function openTables(
  dir: string | undefined,
  { maxSize, checkFirstBytes = CHECK_FIRST_BYTES }: Pick<
    PackWriterOptions,
    "maxSize" | "checkFirstBytes"
  >,
): OpenedTables {
  if (dir === undefined) {
    const tables = new Tables(openTablesFile(":memory:"));
    return { tables, clean: true, unchecked: false, rebuild: undefined, damaged: false };
  }
  const path = `${dir}/${TABLES_FILE}`;
  if (!fs.existsSync(path)) return fresh(path, "there are none", maxSize);
  let tables: Tables | undefined;
  try {
    tables = new Tables(openTablesFile(path, maxSize));
    const clean = tables.meta("clean") === 1;
    const small = fs.statSync(path).size <= checkFirstBytes;
    const damage = tables.meta("damaged") === 1
      ? "they failed their check"
      : small
      ? fullCheck(tables.db) ?? wordsCheck(tables.db)
      : wordsCheck(tables.db);
    const unchecked = !clean && !small;
    if (damage === undefined) {
      return { tables, clean, unchecked, rebuild: undefined, damaged: false };
    }
    tables.close();
    return setAside(path, damage, maxSize);
  } catch (error) {
    tables?.close();
    return setAside(path, error instanceof Error ? error.message : String(error), maxSize);
  }
}

/** Checks the tables of a folder, on any thread; what is wrong with them, or `undefined`. */
export function checkTablesFile(dir: string): string | undefined {
  const db = new DatabaseSync(`${dir}/${TABLES_FILE}`, { readOnly: true });
  try {
    return quickCheck(db);
  } finally {
    db.close();
  }
}

/** Compares rows with their index besides: a bit that rots in an id would hide a record for good. */
function fullCheck(db: DatabaseSync): string | undefined {
  const found = String(db.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"]);
  return found === "ok" ? undefined : found;
}

/** A bit that rots in a segment's state would take a whole pack out of sight; there are few rows. */
function wordsCheck(db: DatabaseSync): string | undefined {
  const row = db.prepare(
    "SELECT 1 FROM segments WHERE area NOT IN ('data', 'log') OR " +
      "state NOT IN ('building', 'active', 'full', 'sealed', 'dropping') LIMIT 1",
  ).get();
  return row && "a segment has a state that there is not";
}

function quickCheck(db: DatabaseSync): string | undefined {
  const found = String(db.prepare("PRAGMA quick_check(1)").get()?.["quick_check"]);
  return found === "ok" ? undefined : found;
}

function setAside(path: string, why: string, maxSize?: number): OpenedTables {
  fs.renameSync(path, `${path}.damaged`);
  for (const suffix of ["-wal", "-shm"]) fs.rmSync(path + suffix, { force: true });
  return { ...fresh(path, why, maxSize), damaged: true };
}

function fresh(path: string, rebuild: string, maxSize?: number): OpenedTables {
  const tables = new Tables(openTablesFile(path, maxSize));
  return { tables, clean: false, unchecked: false, rebuild, damaged: false };
}
