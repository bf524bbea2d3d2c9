/** Finds the chunks of a range of a blob. */
import type { ByteRange } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { decodePart } from "./recipe.ts";
import type { Recipe, RecipeEntry } from "./recipe.ts";

/** A chunk or part, and where in the blob it begins. */
export interface PlacedEntry extends RecipeEntry {
  /** Bytes from the start of the blob. */
  readonly offset: number;
}

/** Reads the body of a part by its id; `undefined` if it is not here. */
export type ReadPart = (id: Bytes) => Bytes | undefined | Promise<Bytes | undefined>;

/**
 * The chunks that overlap `range` (default: all), in order. Reads only the parts that do, one at a
 * time. A range past the end has no chunks.
 * @throws {CacheError} `corrupt` when a part is not here, or not what the root says
 */
export async function* walkRecipe(
  root: Recipe,
  readPart: ReadPart,
  range: ByteRange = { start: 0, end: root.size },
): AsyncGenerator<PlacedEntry, void, void> {
  const entries = placeEntries(root.entries, 0, range);
  if (root.level === 1) return yield* entries;
  for (const part of entries) {
    const body = await readPart(part.id);
    if (!body) {
      throw new CacheError("corrupt", "Cannot read the recipe: a part of it is not here", {
        operation: "recipe.walk",
        context: { part: part.id.toHex() },
      });
    }
    yield* placeEntries(decodePart(body, part.length), part.offset, range);
  }
}

/** Those entries of a list, which begins at `offset` of the blob, that overlap the range. */
export function* placeEntries(
  entries: readonly RecipeEntry[],
  offset: number,
  range: ByteRange,
): Generator<PlacedEntry, void, void> {
  let at = offset;
  for (const { id, length } of entries) {
    if (at >= range.end) return;
    if (at + length > range.start && range.end > range.start) yield { id, length, offset: at };
    at += length;
  }
}
