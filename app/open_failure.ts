/** What is to be done when a store does not open. */
import { CacheError } from "../core/errors.ts";
import { diskFacts } from "./disk_room.ts";

/** Bytes: with less free than this the tables can not open, which map a file as they do. */
const TABLES_NEED = 1024 * 1024;

/**
 * The error with a hint, if it has none. Tables on a full disk fail as "disk I/O error": what is
 * missing is room, not a backup, so that is what is said. `freeBytes` tells what is free.
 */
export function explainOpening(
  error: CacheError,
  dir: string,
  freeBytes: (dir: string) => number | undefined = freeThere,
): CacheError {
  if (error.hint !== undefined) return error;
  const { retry, operation, context } = error;
  const more = {
    ...(operation === undefined ? {} : { operation }),
    context,
    cause: error,
  };
  const free = error.kind === "corrupt" ? undefined : freeBytes(dir);
  if (free !== undefined && free < TABLES_NEED) {
    const full = "disk is full";
    const said = error.message.includes(full) ? "" : `; the ${full}`;
    return new CacheError("quota_exceeded", `${error.message}${said}`, {
      ...more,
      hint: `${free} bytes are free where "${dir}" is: free ${TABLES_NEED} at least, not in that ` +
        "folder, and start again",
    });
  }
  return new CacheError(error.kind, error.message, {
    ...more,
    retry,
    hint: "restore what is named from a backup, or move it aside; " +
      "docs/storage_format.md says which files are made anew",
  });
}

function freeThere(dir: string): number | undefined {
  try {
    return diskFacts(dir).free;
  } catch {
    // The folder could not even be made: the error itself says why.
    return undefined;
  }
}
