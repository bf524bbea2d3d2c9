/** What SQLite throws, in our words. From result codes, never from texts. */
import { CacheError, toCacheError } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";

/** Primary result codes, https://sqlite.org/rescode.html. */
const PERM = 3;
const BUSY = 5;
const LOCKED = 6;
const NOMEM = 7;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const AUTH = 23;
const NOTADB = 26;

const KINDS: ReadonlyMap<number, ErrorKind> = new Map([
  [PERM, "permission_denied"],
  [BUSY, "unavailable"],
  [LOCKED, "unavailable"],
  [NOMEM, "unavailable"],
  [READONLY, "permission_denied"],
  [IOERR, "unavailable"],
  [CORRUPT, "corrupt"],
  [FULL, "quota_exceeded"],
  [CANTOPEN, "unavailable"],
  [AUTH, "permission_denied"],
  [NOTADB, "corrupt"],
]);

/** Wraps what a statement threw; what is no error of SQLite goes through `toCacheError`. */
export function sqliteError(thrown: unknown, operation: string): CacheError {
  const code = resultCode(thrown);
  if (code === undefined || thrown instanceof CacheError) return toCacheError(thrown, operation);
  return new CacheError(
    KINDS.get(code) ?? "internal",
    `Cannot use the index: SQLite answered ${code} (${(thrown as Error).message})`,
    { operation, cause: thrown, context: { sqlite: code } },
  );
}

/** Whether the file itself is wrong, so that only making it anew helps. */
export function isDamage(thrown: unknown): boolean {
  const code = resultCode(thrown);
  if (code !== undefined) return code === CORRUPT || code === NOTADB;
  return thrown instanceof CacheError && thrown.kind === "corrupt";
}

/** Runs `work` and wraps what it throws, but for mistakes of the caller's program. */
export function translated<T>(operation: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw error;
    throw sqliteError(error, operation);
  }
}

/** The primary code: the extended ones add multiples of 256. */
function resultCode(thrown: unknown): number | undefined {
  const code = (thrown as { errcode?: unknown } | null)?.errcode;
  return thrown instanceof Error && typeof code === "number" ? code % 256 : undefined;
}
