/** Chunks and recipes in memory, by name. */
import { findCut, prepareChunker } from "../../codec/chunker.ts";
import { decodePart, decodeRecipe } from "../../codec/recipe.ts";
import { RecipeBuilder } from "../../codec/recipe_builder.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestFromBytes, sha256 } from "../../core/digest.ts";
import { MAX_CHUNK_BYTES } from "../../core/limits.ts";
import type { SyncName } from "../../core/sync_store.ts";

/** Small chunks, so that a test's blobs have many. */
const CHUNKER = prepareChunker({
  min: 4096,
  avg: 8192,
  max: 32768,
  normalization: 2,
  seed: 0,
});

/** A key for maps. */
export function nameKey({ kind, id }: SyncName): string {
  return `${kind}:${id.toHex()}`;
}

/** Bodies, whoever may see them. */
export class MemoryBodies {
  readonly #bodies = new Map<string, Bytes>();

  get(name: SyncName): Bytes | undefined {
    return this.#bodies.get(nameKey(name));
  }
  set(name: SyncName, body: Bytes): void {
    this.#bodies.set(nameKey(name), body);
  }
  delete(name: SyncName): void {
    this.#bodies.delete(nameKey(name));
  }

  /** Cuts a blob as a store does; the names of all that it is made of. */
  putBlob(body: Bytes): SyncName[] {
    const names: SyncName[] = [];
    const add = (kind: SyncName["kind"], id: Bytes, bytes: Bytes) => {
      names.push({ kind, id });
      this.set({ kind, id }, bytes);
    };
    if (body.length <= MAX_CHUNK_BYTES) {
      add("chunk", sha256(body), body);
      return names;
    }
    const builder = new RecipeBuilder(CHUNKER.params);
    const parts = [];
    for (let from = 0; from < body.length;) {
      const chunk = body.slice(from, from + findCut(body, from, body.length, CHUNKER));
      add("chunk", sha256(chunk), chunk);
      parts.push(...builder.add(sha256(chunk), chunk.length));
      from += chunk.length;
    }
    const built = builder.finish(digestFromBytes(sha256(body)));
    for (const part of [...parts, ...built.parts]) add("recipe", part.id, part.body);
    add("recipe", sha256(body), built.root);
    return names;
  }
}

/** What a recipe lists, in order, as often as it lists it. */
export function partsOf(body: Bytes): SyncName[] {
  if (body[5] === 0) {
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    let length = 0;
    for (let at = 12 + 32; at < body.length; at += 36) length += view.getUint32(at, true);
    return decodePart(body, length).map(({ id }) => ({ kind: "chunk", id }));
  }
  const root = decodeRecipe(body);
  const kind = root.level === 2 ? "recipe" : "chunk";
  return root.entries.map(({ id }) => ({ kind, id }));
}
