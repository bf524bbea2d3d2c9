/** Which bytes of an object a `get` means; the same for every medium. */
import type { ByteRange } from "../core/bytes.ts";
import { CacheError } from "../core/errors.ts";

/**
 * The range that is read of an object of `total` bytes: all of it by default, an end past the
 * object's is cut.
 * @throws {CacheError} `range_not_satisfiable` for a start at or past the end, but an empty range at
 * 0 of an empty object is fine; `invalid_argument` for what is no range at all
 */
export function resolveRange(range: ByteRange | undefined, total: number): ByteRange {
  if (range === undefined) return { start: 0, end: total };
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new CacheError(
      "invalid_argument",
      `Cannot read bytes ${start} to ${end}: want 0 <= start <= end, in whole bytes`,
      { operation: "object_store.get" },
    );
  }
  if (start >= total && !(total === 0 && end === 0)) {
    throw new CacheError(
      "range_not_satisfiable",
      `Cannot read from byte ${start}: the object has ${total} bytes`,
      { operation: "object_store.get", context: { start, total } },
    );
  }
  return { start, end: Math.min(end, total) };
}
