/** What the disk and the tables throw, in the words of the project. */
import { CacheError, toCacheError } from "../../core/errors.ts";

/**
 * Translates what a step on segment files or tables threw. `verb` and `what` make the message.
 * `node:sqlite` reports one code for everything, so a full disk is told by SQLite's own fixed text
 * (`sqlite3_errstr(SQLITE_FULL)`); anything else of it may pass and is `unavailable`.
 */
export function packError(thrown: unknown, verb: string, what: string): CacheError {
  if (thrown instanceof CacheError) return thrown;
  const operation = `pack.${verb}`;
  if ((thrown as { code?: unknown })?.code === "ERR_SQLITE_ERROR") {
    const text = (thrown as Error).message;
    const full = text.includes("database or disk is full");
    return new CacheError(
      full ? "quota_exceeded" : "unavailable",
      `Cannot ${verb} ${what}: ${full ? "the disk is full" : text}`,
      { operation, cause: thrown },
    );
  }
  const { kind, message } = toCacheError(thrown, operation);
  const text = message.replace(/^Cannot [^:]*: /, "");
  return new CacheError(
    kind === "internal" && isSystem(thrown) ? "unavailable" : kind,
    `Cannot ${verb} ${what}: ${text}`,
    {
      operation,
      cause: thrown,
    },
  );
}

/** Whether a file or folder was not there. */
export function isMissing(thrown: unknown): boolean {
  return (thrown as { code?: unknown })?.code === "ENOENT";
}

function isSystem(thrown: unknown): boolean {
  return typeof (thrown as { syscall?: unknown })?.syscall === "string";
}
