/** Reads a blob that may be seen: one chunk, or the chunks of its recipe in order. */
import { createHash } from "node:crypto";
import type { Recipe } from "../../codec/recipe.ts";
import type { PlacedEntry } from "../../codec/recipe_walk.ts";
import { walkRecipe } from "../../codec/recipe_walk.ts";
import { throwIfAborted } from "../../core/abort.ts";
import type { BlobGetOptions } from "../../core/blob_store.ts";
import type { ByteRange, ObjectBody } from "../../core/bytes.ts";
import { bytesBody, concat } from "../../core/bytes.ts";
import type { ChunkSource } from "../../core/chunk_store.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestFromBytes, digestOf } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { SMALL_BODY_BYTES } from "../../core/limits.ts";
import { resolveRange } from "../object_range.ts";
import { pullBody } from "../pull_body.ts";
import { idOf, isOneChunk, readRecipe } from "./presence.ts";

/** Where blobs are read from. */
export interface ReadWorld {
  readonly chunks: ChunkSource;
  /** Compare SHA-256 of the whole blob at the end of a whole read: after an unclean start. */
  readonly verifyReads: boolean;
  /** Hears which records are read, for eviction. */
  onUse(kind: "chunk" | "recipe", ids: readonly Bytes[]): void;
}

/** Entries whose chunks are asked for together: about 2 MiB. */
const BATCH = 32;

/**
 * The body, or `undefined` when something of it is not here. Up to 1 MiB it is read and checked
 * whole; a longer one is a stream that breaks with `corrupt` when a chunk turns out lost midway.
 * @throws {CacheError} `range_not_satisfiable`
 */
export async function readBlob(
  world: ReadWorld,
  blob: BlobRef,
  { range, signal }: BlobGetOptions = {},
): Promise<ObjectBody | undefined> {
  const wanted = resolveRange(range, blob.size);
  if (blob.size === 0) return bytesBody(new Uint8Array(0));
  if (isOneChunk(blob)) {
    const bytes = await readOneChunk(world, blob);
    return bytes && bytesBody(bytes.subarray(wanted.start, wanted.end), blob.size);
  }
  const recipe = await readRecipe(world.chunks, blob);
  throwIfAborted(signal);
  if (!recipe) return undefined;
  world.onUse("recipe", [idOf(blob.digest)]);
  const parts = readParts(world, recipe, { range: wanted, signal });
  const size = wanted.end - wanted.start;
  const sizes = { size, total: blob.size };
  if (size <= SMALL_BODY_BYTES) return await collectParts(parts, sizes);
  const first = await missIfCorrupt(async () => await parts.next());
  if (!first) return undefined;
  let held: Bytes | undefined = first.value ?? undefined;
  return pullBody({
    async read() {
      const part = held;
      held = undefined;
      return part ?? (await parts.next()).value ?? undefined;
    },
    close() {
      // Ends the generator, which gives its reader back; it has nothing else to tell.
      void parts.return(undefined);
    },
  }, { ...sizes, signal });
}

/** The bytes of a one-chunk blob, `undefined` if they are not here or not its bytes. */
async function readOneChunk(world: ReadWorld, blob: BlobRef): Promise<Bytes | undefined> {
  const id = idOf(blob.digest);
  const read = world.chunks.read("chunk", id);
  const bytes = read instanceof Promise ? await read : read;
  if (bytes?.length !== blob.size) return undefined;
  if (world.verifyReads && digestOf(bytes) !== blob.digest) return undefined;
  world.onUse("chunk", [id]);
  return bytes;
}

async function collectParts(
  parts: AsyncGenerator<Bytes, void, void>,
  sizes: { size: number; total: number },
): Promise<ObjectBody | undefined> {
  const all = await missIfCorrupt(() => Array.fromAsync(parts));
  return all && bytesBody(concat(all, sizes.size), sizes.total);
}

async function missIfCorrupt<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (thrown) {
    if (isKind(thrown, "corrupt")) return undefined;
    throw thrown;
  }
}

async function* readParts(
  world: ReadWorld,
  recipe: Recipe,
  { range, signal }: { range: ByteRange; signal: AbortSignal | undefined },
): AsyncGenerator<Bytes, void, void> {
  const { chunks, verifyReads } = world;
  const whole = range.start === 0 && range.end === recipe.size;
  const hash = verifyReads && whole ? createHash("sha256") : undefined;
  const readPart = (id: Bytes) => chunks.read("recipe", id);
  let batch: PlacedEntry[] = [];
  for await (const entry of walkRecipe(recipe, readPart, range)) {
    batch.push(entry);
    if (batch.length < BATCH) continue;
    yield* readBatch(batch);
    batch = [];
  }
  yield* readBatch(batch);
  if (!hash) return;
  const digest = digestFromBytes(new Uint8Array(hash.digest()));
  if (digest !== recipe.digest) throw broken(recipe, `its bytes have digest "${digest}"`);

  async function* readBatch(entries: readonly PlacedEntry[]): AsyncGenerator<Bytes, void, void> {
    const ids = entries.map((entry) => entry.id);
    world.onUse("chunk", ids);
    let n = 0;
    for await (const bytes of chunks.readAll("chunk", ids, { signal })) {
      const entry = entries[n++]!;
      if (bytes.length !== entry.length) throw broken(recipe, "a chunk has another length");
      hash?.update(bytes);
      const from = Math.max(range.start - entry.offset, 0);
      const to = Math.min(range.end - entry.offset, entry.length);
      yield from === 0 && to === entry.length ? bytes : bytes.subarray(from, to);
    }
    if (n < entries.length) throw broken(recipe, "a chunk is not here");
  }
}

function broken(recipe: Recipe, state: string): CacheError {
  return new CacheError("corrupt", `Cannot read blob "${recipe.digest}": ${state}`, {
    operation: "cas.read",
  });
}
