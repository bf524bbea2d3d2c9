/** Bytes that do not compress, many of them and fast. */
import { createHash } from "node:crypto";
import type { Bytes } from "../../core/digest.ts";

/** The same for the same seed. */
export function noiseOf(length: number, seed: number): Bytes {
  if (length === 0) return new Uint8Array(0);
  const hash = createHash("shake256", { outputLength: length });
  return new Uint8Array(hash.update(String(seed)).digest());
}
