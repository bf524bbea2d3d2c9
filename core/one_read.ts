/** Many look-ups in a table file as one read. */

/** As much of a SQLite connection as is needed. */
export interface ReadConnection {
  readonly isTransaction: boolean;
  exec(sql: string): void;
}

/** Look-ups from which on a transaction around them is worth its two statements. */
const WORTH_IT = 8;

/**
 * Does `count` look-ups as one read, where the connection is not in a transaction already. Outside
 * of one SQLite takes and gives back the file's lock for each statement, which is half of the time
 * of a look-up by key. All of them see the same commit. `work` must not wait.
 */
export function inOneRead<T>(db: ReadConnection, count: number, work: () => T): T {
  if (count < WORTH_IT || db.isTransaction) return work();
  db.exec("BEGIN");
  try {
    return work();
  } finally {
    // Nothing was written: there is nothing to undo, and a failed look-up may have ended it.
    if (db.isTransaction) db.exec("COMMIT");
  }
}
