/** Makes a recipe while its blob passes by. */
import type { Bytes, Digest } from "../core/digest.ts";
import { sha256 } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_RECORD_BYTES } from "../core/limits.ts";
import type { ChunkerParams } from "./chunker.ts";
import { chunkIdOf } from "./entry_id.ts";
import { encodePart, encodeRecipe, PART_ENTRIES, PART_THRESHOLD } from "./recipe.ts";
import type { RecipeEntry } from "./recipe.ts";

/** A part that is ready to be stored. */
export interface RecipePart {
  /** 32 bytes. */
  readonly id: Bytes;
  readonly body: Bytes;
}

/** A finished recipe. */
export interface BuiltRecipe {
  /** To be stored as a recipe under the blob's own id. */
  readonly root: Bytes;
  /** Parts that no `add` has returned. Store them before the root. */
  readonly parts: readonly RecipePart[];
}

/**
 * Makes the recipe of one blob. Up to 255 chunks the root lists them. From 256 on the list itself
 * is cut where the ids say so, so that an insertion changes few parts; besides one part, only the
 * root's own entries are held (40 bytes for about 128 chunks).
 */
export class RecipeBuilder {
  readonly #chunker: ChunkerParams | undefined;
  /** The list so far while it fits a root; behind that, the part that is being filled. */
  #chunks: RecipeEntry[] = [];
  #parts: RecipeEntry[] | undefined;
  #size = 0;

  /** `chunker`: which one cuts the blob; `undefined` if somebody else did. */
  constructor(chunker: ChunkerParams | undefined) {
    this.#chunker = chunker;
  }
  /** Bytes of all chunks so far. */
  get size(): number {
    return this.#size;
  }
  /** Adds the next chunk; returns the parts that are now certain, mostly none. */
  add(id: Bytes, length: number): readonly RecipePart[] {
    if (id.length !== 32 || !(length > 0 && length <= MAX_RECORD_BYTES)) {
      throw new RangeError(`Cannot add a chunk of ${length} bytes to a recipe`);
    }
    this.#size += length;
    if (this.#parts) return this.#addToPart({ id, length });
    this.#chunks.push({ id, length });
    if (this.#chunks.length < PART_THRESHOLD) return [];
    const listed = this.#chunks;
    this.#chunks = [];
    this.#parts = [];
    return listed.flatMap((entry) => this.#addToPart(entry));
  }
  /**
   * The root, for a blob with this digest.
   * @throws {CacheError} `too_large` when the root fits no record (terabytes)
   */
  finish(digest: Digest): BuiltRecipe {
    const common = { chunker: this.#chunker, size: this.#size, digest };
    if (!this.#parts) {
      return { root: encodeRecipe({ ...common, level: 1, entries: this.#chunks }), parts: [] };
    }
    const parts = this.#chunks.length > 0 ? [this.#cutPart()] : [];
    const root = encodeRecipe({ ...common, level: 2, entries: this.#parts });
    if (root.length <= MAX_RECORD_BYTES) return { root, parts };
    throw new CacheError(
      "too_large",
      `Cannot store the blob: its recipe has ${root.length} bytes, want ${MAX_RECORD_BYTES}`,
      { operation: "recipe.build" },
    );
  }
  #addToPart(entry: RecipeEntry): RecipePart[] {
    this.#chunks.push(entry);
    return endsPart(entry.id, this.#chunks.length) ? [this.#cutPart()] : [];
  }
  #cutPart(): RecipePart {
    const body = encodePart(this.#chunks);
    const id = chunkIdOf(sha256(body));
    const length = this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#parts?.push({ id, length });
    this.#chunks = [];
    return { id, body };
  }
}

/**
 * Whether a part of `count` chunks ends with this one: with the largest, or from the smallest on
 * where the first four bytes of the chunk's id, as a little-endian number, divide by 96. That makes
 * 128 on average.
 */
function endsPart(id: Bytes, count: number): boolean {
  if (count >= PART_ENTRIES.max) return true;
  if (count < PART_ENTRIES.min) return false;
  return new DataView(id.buffer, id.byteOffset, 4).getUint32(0, true) % PART_ENTRIES.more === 0;
}
