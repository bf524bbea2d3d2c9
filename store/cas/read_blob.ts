/** Reads a blob that may be seen: one chunk, or the chunks of its recipe in order. */
import type { Recipe } from "../../codec/recipe.ts";
import { throwIfAborted } from "../../core/abort.ts";
import type { BlobGetOptions } from "../../core/blob_store.ts";
import type { ObjectBody, SignalOptions } from "../../core/bytes.ts";
import { bytesBody } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { isKind } from "../../core/errors.ts";
import { BEGIN_READS, SMALL_BODY_BYTES } from "../../core/limits.ts";
import { resolveRange } from "../object_range.ts";
import { pullBody } from "../pull_body.ts";
import { BlobReader, chunksOf, SumCheck } from "./blob_reader.ts";
import type { PartOptions, ReadWorld } from "./blob_reader.ts";
import { idOf, isOneChunk, readRecipe } from "./presence.ts";

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
  if (blob.size === 0) {
    resolveRange(range, 0);
    return bytesBody(new Uint8Array(0));
  }
  if (isOneChunk(blob)) {
    const bytes = await readOneChunk(world, blob, { signal });
    throwIfAborted(signal);
    if (!bytes) return undefined;
    const { start, end } = resolveRange(range, blob.size);
    return bytesBody(bytes.subarray(start, end), blob.size);
  }
  const turn = world.blocks.turns.take(BEGIN_READS);
  // Those who read it already keep for us what we are about to ask for.
  using _coming = turn && world.blocks.join(blob.digest);
  await turn;
  throwIfAborted(signal);
  const recipe = await readRecipe(world.chunks, blob, { signal });
  throwIfAborted(signal);
  if (!recipe) return undefined;
  // Not before: of a lost blob no range is wrong, it is a miss.
  const wanted = resolveRange(range, blob.size);
  world.onUse("recipe", [idOf(blob.digest)]);
  const size = wanted.end - wanted.start;
  const sizes = { size, total: blob.size };
  if (size <= SMALL_BODY_BYTES) {
    const bytes = await missIfCorrupt(() => readWhole(world, recipe, { range: wanted, signal }));
    throwIfAborted(signal);
    return bytes && bytesBody(bytes, blob.size);
  }
  const reader = new BlobReader(world, recipe, { range: wanted, signal });
  try {
    // A blob that is lost is a miss, as long as nothing of it is sent.
    const first = await missIfCorrupt(() => reader.begin());
    throwIfAborted(signal);
    if (first) return pullBody(reader, { ...sizes, signal });
  } catch (thrown) {
    reader.close();
    throw thrown;
  }
  reader.close();
  return undefined;
}

/** The bytes of a one-chunk blob, `undefined` if they are not here or not its bytes. */
export async function readOneChunk(
  world: ReadWorld,
  blob: BlobRef,
  options: SignalOptions,
): Promise<Bytes | undefined> {
  const id = idOf(blob.digest);
  const read = world.chunks.read("chunk", id, options);
  const bytes = read instanceof Promise ? await read : read;
  if (bytes?.length !== blob.size) return undefined;
  if (world.verifyReads && digestOf(bytes) !== blob.digest) return undefined;
  world.onUse("chunk", [id]);
  return bytes;
}

async function missIfCorrupt<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (thrown) {
    if (isKind(thrown, "corrupt")) return undefined;
    throw thrown;
  }
}

/** All of a short range as one array. */
async function readWhole(world: ReadWorld, recipe: Recipe, options: PartOptions): Promise<Bytes> {
  const { range, signal } = options;
  const entries = await Array.fromAsync(chunksOf(world, recipe, options));
  world.onUse("chunk", entries.map(({ id }) => id));
  using held = world.chunks.hold("chunk", entries);
  const bytes = await held.join(0, entries.length, { signal });
  new SumCheck(world, recipe, range).check(bytes, entries);
  const from = entries[0]?.offset ?? 0;
  return bytes.subarray(range.start - from, range.end - from);
}
