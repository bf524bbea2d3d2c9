/** Whether all bytes of a blob are here: a chunk, or a recipe with every chunk it names. */
import { chunkIdOf } from "../../codec/entry_id.ts";
import { decodePart, decodeRecipe } from "../../codec/recipe.ts";
import type { Recipe } from "../../codec/recipe.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { ChunkSource } from "../../core/chunk_store.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import { digestBytes, EMPTY_DIGEST } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { isKind } from "../../core/errors.ts";
import { MAX_CHUNK_BYTES } from "../../core/limits.ts";
import type { Visibility } from "../../core/metadata_index.ts";
import { ExistenceCache } from "./existence_cache.ts";

/** The recipe of a blob, if it is here and is what the blob says. */
export async function readRecipe(
  chunks: ChunkSource,
  blob: BlobRef,
  options?: SignalOptions,
): Promise<Recipe | undefined> {
  const body = await chunks.read("recipe", idOf(blob.digest), options);
  if (!body) return undefined;
  const recipe = unlessCorrupt(() => decodeRecipe(body));
  const right = recipe?.digest === blob.digest && recipe.size === blob.size;
  return right ? recipe : undefined;
}

/** Every record that a blob needs; `undefined` if one that names others is not here. */
export async function recordsOfBlob(
  chunks: ChunkSource,
  blob: BlobRef,
): Promise<{ kind: "chunk" | "recipe"; id: Bytes }[] | undefined> {
  if (blob.size === 0) return [];
  const id = idOf(blob.digest);
  if (isOneChunk(blob)) return [{ kind: "chunk", id }];
  const recipe = await readRecipe(chunks, blob);
  if (!recipe) return undefined;
  const chunk = (entry: { readonly id: Bytes }) => ({ kind: "chunk" as const, id: entry.id });
  if (recipe.level === 1) return [{ kind: "recipe", id }, ...recipe.entries.map(chunk)];
  const records: { kind: "chunk" | "recipe"; id: Bytes }[] = [{ kind: "recipe", id }];
  for (const entry of recipe.entries) {
    const body = await chunks.read("recipe", entry.id);
    const part = body && unlessCorrupt(() => decodePart(body, entry.length));
    if (!part) return undefined;
    records.push({ kind: "recipe", id: entry.id }, ...part.map(chunk));
  }
  return records;
}

/** Answers for one thread; what was found whole is remembered until something is lost. */
export class Presence {
  readonly #chunks: ChunkSource;
  readonly #known: ExistenceCache;

  constructor(chunks: ChunkSource) {
    this.#chunks = chunks;
    this.#known = new ExistenceCache(() => chunks.losses());
  }

  /** One answer a blob, in order. Answers at once (no promise) where none has a recipe to read. */
  whole(blobs: readonly BlobRef[]): boolean[] | Promise<boolean[]> {
    const small = blobs.filter(isOneChunk);
    const here = this.#chunks.has("chunk", small.map(({ digest }) => idOf(digest)));
    let next = 0;
    let waits = false;
    const answers = blobs.map((blob) => {
      if (blob.size === 0) return blob.digest === EMPTY_DIGEST;
      if (isOneChunk(blob)) return here[next++]!;
      if (this.#known.has(blob.digest)) return true;
      waits = true;
      return undefined;
    });
    if (!waits) return answers as boolean[];
    return this.#withRecipes(blobs, answers);
  }

  async #withRecipes(
    blobs: readonly BlobRef[],
    answers: readonly (boolean | undefined)[],
  ): Promise<boolean[]> {
    const all: boolean[] = [];
    for (const [n, answer] of answers.entries()) {
      all.push(answer ?? await this.#hasAllChunks(blobs[n]!));
    }
    return all;
  }

  async #hasAllChunks(blob: BlobRef): Promise<boolean> {
    // Asked before the look: a loss meanwhile makes the answer old at once.
    const losses = this.#chunks.losses();
    const recipe = await readRecipe(this.#chunks, blob);
    if (!recipe || !await this.#hasChunksOf(recipe)) return false;
    this.#known.add(blob.digest, losses);
    return true;
  }

  async #hasChunksOf(recipe: Recipe): Promise<boolean> {
    const hasAll = (ids: Bytes[]) => this.#chunks.has("chunk", ids).every((here) => here);
    if (recipe.level === 1) return hasAll(recipe.entries.map((entry) => entry.id));
    for (const { id, length } of recipe.entries) {
      const body = await this.#chunks.read("recipe", id);
      const part = body && unlessCorrupt(() => decodePart(body, length));
      if (!part || !hasAll(part.map((entry) => entry.id))) return false;
    }
    return true;
  }
}

/** Whether a namespace may see all these blobs and they are here; as an index's `present`. */
export function blobsPresent(
  namespace: string,
  blobs: readonly BlobRef[],
  world: { readonly presence: Presence; readonly visibility: Visibility },
): boolean | Promise<boolean> {
  const stored = blobs.filter((blob) => blob.size > 0);
  const sizes = world.visibility.find(namespace, stored.map((blob) => blob.digest));
  if (!stored.every((blob, n) => sizes[n] === blob.size)) return false;
  const whole = world.presence.whole(blobs);
  return whole instanceof Promise ? whole.then(allTrue) : allTrue(whole);
}

/** Whether a blob is one chunk, with no recipe. */
export function isOneChunk(blob: BlobRef): boolean {
  return blob.size > 0 && blob.size <= MAX_CHUNK_BYTES;
}

/** The id of a blob's chunk or recipe. */
export function idOf(digest: Digest): Bytes {
  return chunkIdOf(digestBytes(digest));
}

function allTrue(answers: readonly boolean[]): boolean {
  return answers.every((answer) => answer);
}

/** A damaged recipe is one that is not here: the blob is a miss. */
function unlessCorrupt<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (thrown) {
    if (isKind(thrown, "corrupt")) return undefined;
    throw thrown;
  }
}
