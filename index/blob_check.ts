/** What a blob must be to be named by an entry or a namespace. */
import type { BlobRef } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";

/** @throws {CacheError} `invalid_argument` for a size that is none */
export function checkSize({ digest, size }: BlobRef): void {
  if (Number.isSafeInteger(size) && size >= 0) return;
  throw new CacheError(
    "invalid_argument",
    `Cannot store the entry: blob "${digest}" has size ${size}, want a whole number of bytes`,
    { operation: "index.commit" },
  );
}
