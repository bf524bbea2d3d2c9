/** The log of replacements: who put what in the place of what. */
import type { Seal } from "../codec/seal.ts";
import type { Bytes, Digest } from "../core/digest.ts";
import type { EntryFacts, EntryId } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import type { Replacement } from "./contract.ts";

/** What is noted when `after` takes the place of `before`. */
export function replacementOf(before: EntryFacts, after: EntryFacts): Replacement {
  return {
    before: before.blobs[0]?.digest,
    after: after.blobs[0]?.digest,
    writer: after.writer,
    at: after.created,
  };
}

/** Packs and seals a replacement: JSON `[before, after, writer, at]`, bound to the entry id. */
export function sealReplacement(replacement: Replacement, seal: Seal, id: EntryId): Bytes {
  const { before, after, writer, at } = replacement;
  const text = JSON.stringify([before ?? null, after ?? null, writer, at]);
  return seal.seal(new TextEncoder().encode(text), id);
}

/** The opposite of {@linkcode sealReplacement}. @throws {CacheError} `corrupt` */
export function openReplacement(sealed: Bytes, seal: Seal, id: EntryId): Replacement {
  const plain = new TextDecoder().decode(seal.open(sealed, id));
  let parts: unknown;
  try {
    parts = JSON.parse(plain);
  } catch (cause) {
    throw damaged(cause);
  }
  if (!Array.isArray(parts) || parts.length !== 4) throw damaged(undefined);
  const [before, after, writer, at] = parts as [Digest | null, Digest | null, string, number];
  return { before: before ?? undefined, after: after ?? undefined, writer, at };
}

function damaged(cause: unknown): CacheError {
  return new CacheError("corrupt", "Cannot read a replacement: its row is damaged", {
    operation: "index.replacements",
    cause,
  });
}
