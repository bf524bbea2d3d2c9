/** Reads a blob that may be seen: one chunk, or the chunks of its recipe in order. */
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { chunkIdOf } from "../../codec/entry_id.ts";
import type { Recipe } from "../../codec/recipe.ts";
import type { PlacedEntry } from "../../codec/recipe_walk.ts";
import { walkRecipe } from "../../codec/recipe_walk.ts";
import { throwIfAborted } from "../../core/abort.ts";
import type { BlobGetOptions } from "../../core/blob_store.ts";
import type { ByteRange, ObjectBody, SignalOptions } from "../../core/bytes.ts";
import { bytesBody, concat, equalBytes } from "../../core/bytes.ts";
import type { ChunkSource } from "../../core/chunk_store.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestFromBytes, digestOf, sha256 } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { SMALL_BODY_BYTES } from "../../core/limits.ts";
import { resolveRange } from "../object_range.ts";
import { pullBody } from "../pull_body.ts";
import { idOf, isOneChunk, readRecipe } from "./presence.ts";

/** Where blobs are read from. */
export interface ReadWorld {
  readonly chunks: ChunkSource;
  /**
   * Compare SHA-256 too: of a whole blob before its last chunk is handed out, of each chunk where
   * only a range is read.
   */
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
  const recipe = await readRecipe(world.chunks, blob, { signal });
  throwIfAborted(signal);
  if (!recipe) return undefined;
  // Not before: of a lost blob no range is wrong, it is a miss.
  const wanted = resolveRange(range, blob.size);
  world.onUse("recipe", [idOf(blob.digest)]);
  const parts = readParts(world, recipe, { range: wanted, signal });
  const size = wanted.end - wanted.start;
  const sizes = { size, total: blob.size };
  if (size <= SMALL_BODY_BYTES) return await collectParts(parts, { ...sizes, signal });
  const first = await missIfCorrupt(async () => await parts.next());
  if (!first) return undefined;
  if (signal?.aborted) {
    giveUp(parts);
    throw signal.reason;
  }
  let held: Bytes | undefined = first.value ?? undefined;
  return pullBody({
    async read() {
      const part = held;
      held = undefined;
      return part ?? (await parts.next()).value ?? undefined;
    },
    close() {
      held = undefined;
      giveUp(parts);
    },
  }, { ...sizes, signal });
}

/** Ends the generator, behind the read that may be under way, so that its reader is given back. */
function giveUp(parts: AsyncGenerator<Bytes, void, void>): void {
  // Whoever read is gone or has his error already: nobody is left to hear how closing went.
  parts.return(undefined).catch(() => {});
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

async function collectParts(
  parts: AsyncGenerator<Bytes, void, void>,
  { signal, ...sizes }: { size: number; total: number } & SignalOptions,
): Promise<ObjectBody | undefined> {
  const all = await missIfCorrupt(() => Array.fromAsync(parts));
  throwIfAborted(signal);
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
  const readPart = (id: Bytes) => {
    world.onUse("recipe", [id]);
    return chunks.read("recipe", id, { signal });
  };
  let batch: PlacedEntry[] = [];
  for await (const entry of walkRecipe(recipe, readPart, range)) {
    batch.push(entry);
    if (batch.length < BATCH) continue;
    yield* readBatch(batch);
    batch = [];
  }
  yield* readBatch(batch);

  async function* readBatch(entries: readonly PlacedEntry[]): AsyncGenerator<Bytes, void, void> {
    const ids = entries.map((entry) => entry.id);
    world.onUse("chunk", ids);
    let n = 0;
    for await (const bytes of chunks.readAll("chunk", ids, { signal })) {
      const entry = entries[n++]!;
      if (bytes.length !== entry.length) throw broken(recipe, "a chunk has another length");
      if (hash) check(hash.update(bytes), entry);
      else if (verifyReads && !equalBytes(chunkIdOf(sha256(bytes)), entry.id)) {
        throw broken(recipe, "the bytes of a chunk are not its own");
      }
      const from = Math.max(range.start - entry.offset, 0);
      const to = Math.min(range.end - entry.offset, entry.length);
      yield from === 0 && to === entry.length ? bytes : bytes.subarray(from, to);
    }
    if (n < entries.length) throw broken(recipe, "a chunk is not here");
  }

  /** Before the last bytes are handed out: whoever counts them would take them for the whole. */
  function check(hash: Hash, last: PlacedEntry): void {
    if (last.offset + last.length < recipe.size) return;
    const digest = digestFromBytes(new Uint8Array(hash.digest()));
    if (digest !== recipe.digest) throw broken(recipe, `its bytes have digest "${digest}"`);
  }
}

function broken(recipe: Recipe, state: string): CacheError {
  return new CacheError("corrupt", `Cannot read blob "${recipe.digest}": ${state}`, {
    operation: "cas.read",
  });
}
