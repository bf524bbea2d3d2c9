/** What a recipe lists, in the order that both sides know. */
import { decodePart, decodeRecipe } from "../../codec/recipe.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestFromBytes, sha256 } from "../../core/digest.ts";
import { equalBytes } from "../../core/bytes.ts";
import { CacheError } from "../../core/errors.ts";
import { violation } from "./messages.ts";
import { nameKey } from "./named_blobs.ts";
import type { NamedBlob } from "./named_blobs.ts";

/**
 * The chunks of a root or part, or the parts of a root with two levels, each once. A part is proven
 * by its hash; of a root only that it claims to be this blob, so what it makes has to be hashed.
 * @throws {CacheError} `invalid_argument` when it is not the recipe that was asked for
 */
export function listed(body: Bytes, { id, length }: Pick<NamedBlob, "id" | "length">): NamedBlob[] {
  const { kind, entries } = entriesOf(body, { id, length });
  const known = new Map<string, NamedBlob>();
  for (const entry of entries) {
    const key = nameKey({ kind, id: entry.id });
    if ((known.get(key)?.length ?? entry.length) !== entry.length) {
      throw violation("a recipe lists one chunk in two lengths");
    }
    if (!known.has(key)) known.set(key, { kind, id: entry.id, length: entry.length, key });
  }
  return [...known.values()];
}

/** Whether it is a root; the level stands in byte 5, and a part has 0. */
export function isRoot(body: Bytes): boolean {
  return body[5] !== 0;
}

function entriesOf(body: Bytes, { id, length }: Pick<NamedBlob, "id" | "length">) {
  try {
    if (!isRoot(body)) {
      if (!equalBytes(sha256(body), id)) throw violation("a part of a recipe is another one");
      return { kind: "chunk" as const, entries: decodePart(body, length) };
    }
    const root = decodeRecipe(body);
    if (root.size !== length || root.digest !== digestFromBytes(id)) {
      throw violation("it is the recipe of another blob");
    }
    return { kind: root.level === 2 ? "recipe" as const : "chunk" as const, entries: root.entries };
  } catch (error) {
    if (!(error instanceof CacheError) || error.kind === "invalid_argument") throw error;
    throw violation("what it sends is no recipe", error);
  }
}
