/** Hands out a long blob block by block. */
import { createHash } from "node:crypto";
import { chunkIdOf } from "../../codec/entry_id.ts";
import type { Recipe } from "../../codec/recipe.ts";
import type { PlacedEntry } from "../../codec/recipe_walk.ts";
import { walkRecipe } from "../../codec/recipe_walk.ts";
import type { ByteRange } from "../../core/bytes.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { ChunkSource, HeldRecords } from "../../core/chunk_store.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestFromBytes, sha256 } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { BodyReader } from "../pull_body.ts";
import type { Block, BlockReader, Blocks } from "./blocks.ts";

/** Chunks from which on a batch of look-ups ends. */
const BATCH = 128;

/** Where blobs are read from. */
export interface ReadWorld {
  readonly chunks: ChunkSource;
  /**
   * Compare SHA-256 too: of a whole blob before its last bytes are handed out, of each chunk where
   * only a range is read.
   */
  readonly verifyReads: boolean;
  /** Shared by all blobs of a thread. */
  readonly blocks: Blocks;
  /** Hears which records are read, for eviction. */
  onUse(kind: "chunk" | "recipe", ids: readonly Bytes[]): void;
}

/** What is read of a blob. */
export interface PartOptions {
  readonly range: ByteRange;
  readonly signal: AbortSignal | undefined;
}

/** Reads a range of a blob; each block is checked before any byte of it is handed out. */
export class BlobReader implements BodyReader {
  readonly #world: ReadWorld;
  readonly #options: PartOptions;
  readonly #size: number;
  readonly #batches: AsyncGenerator<PlacedEntry[], void, void>;
  readonly #sums: SumCheck;
  readonly #blocks: BlockReader;
  #lent = false;
  #closed = false;
  #batch: { readonly entries: PlacedEntry[]; readonly groups: [number, number][] } | undefined;
  /** The next group of the batch. */
  #group = 0;
  #records: HeldRecords | undefined;
  #held: Block | undefined;
  #first: Bytes | undefined;

  /** Whoever makes it closes it, or lets its body do so. */
  constructor(world: ReadWorld, recipe: Recipe, options: PartOptions) {
    this.#world = world;
    this.#options = options;
    this.#blocks = world.blocks.join(recipe.digest);
    this.#size = world.blocks.size();
    this.#batches = batchesOf(chunksOf(world, recipe, options), this.#size);
    this.#sums = new SumCheck(world, recipe, options.range);
  }

  /**
   * Reads the first block, which the next `read` hands out; tells whether there is one. The caller
   * has waited for its turn.
   */
  async begin(): Promise<boolean> {
    this.#first = await this.#next();
    return this.#first !== undefined;
  }
  lend(): void {
    this.#lent = true;
  }
  read(): Bytes | undefined | Promise<Bytes | undefined> {
    const first = this.#first;
    this.#first = undefined;
    if (first) return first;
    this.#giveBack();
    const turn = this.#world.blocks.turns.take();
    return turn ? turn.then(() => this.#next()) : this.#next();
  }
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#first = undefined;
    this.#giveBack();
    this.#endBatch();
    this.#blocks[Symbol.dispose]();
    // Whoever read is gone or has his error already: nobody is left to hear how closing went.
    this.#batches.return(undefined).catch(() => {});
  }

  async #next(): Promise<Bytes | undefined> {
    if (this.#closed) return undefined;
    if (!this.#batch || this.#group === this.#batch.groups.length) {
      this.#endBatch();
      const { value: entries } = await this.#batches.next();
      if (!entries || this.#closed) return undefined;
      this.#world.onUse("chunk", entries.map(({ id }) => id));
      this.#batch = { entries, groups: groupsOf(entries, this.#size) };
      this.#group = 0;
    }
    const { entries, groups } = this.#batch;
    const [from, to] = groups[this.#group++]!;
    const { range, signal } = this.#options;
    const start = entries[from]!.offset;
    const last = entries[to - 1]!;
    const end = last.offset + last.length;
    // Not before a block is missing: others may have read all of them.
    const read = () => this.#hold(entries).join(from, to, { signal });
    const taken = this.#blocks.take(start, end, read);
    const block = taken instanceof Promise ? await taken : taken;
    if (this.#closed) return void block.release();
    this.#held = block;
    this.#sums.check(block.bytes, entries.slice(from, to));
    return block.bytes.subarray(Math.max(range.start - start, 0), Math.min(range.end, end) - start);
  }
  #hold(entries: readonly PlacedEntry[]): HeldRecords {
    return this.#records ??= this.#world.chunks.hold("chunk", entries);
  }
  #endBatch(): void {
    this.#records?.[Symbol.dispose]();
    this.#records = undefined;
  }
  #giveBack(): void {
    const block = this.#held;
    this.#held = undefined;
    // Where bytes are not only lent, somebody may have them still: the collector frees them.
    if (this.#lent) block?.release();
  }
}

/** The chunks of a range of a blob, in order. */
export function chunksOf(
  { chunks, onUse }: ReadWorld,
  recipe: Recipe,
  { range, signal }: PartOptions,
): AsyncGenerator<PlacedEntry, void, void> {
  const readPart = (id: Bytes) => {
    onUse("recipe", [id]);
    return chunks.read("recipe", id, { signal });
  };
  return walkRecipe(recipe, readPart, range);
}

/** Chunks whose places are looked up together, about 8 MiB, cut where a block ends. */
async function* batchesOf(
  entries: AsyncGenerator<PlacedEntry, void, void>,
  size: number,
): AsyncGenerator<PlacedEntry[], void, void> {
  let batch: PlacedEntry[] = [];
  for await (const entry of entries) {
    if (batch.length >= BATCH && beginsBlock(batch.at(-1)!, entry, size)) {
      yield batch;
      batch = [];
    }
    batch.push(entry);
  }
  if (batch.length > 0) yield batch;
}

/** Chunks that are read together, as `[from, to)`. */
function groupsOf(entries: readonly PlacedEntry[], size: number): [number, number][] {
  const groups: [number, number][] = [];
  let from = 0;
  for (let n = 1; n <= entries.length; n++) {
    if (n < entries.length && !beginsBlock(entries[n - 1]!, entries[n]!, size)) continue;
    groups.push([from, n]);
    from = n;
  }
  return groups;
}

/**
 * Whether a block ends between these two: a block has the chunks that begin in the same `size`
 * bytes of the blob, so that all who read it have the same blocks, wherever they begin.
 */
function beginsBlock(before: PlacedEntry, entry: PlacedEntry, size: number): boolean {
  return Math.floor(before.offset / size) !== Math.floor(entry.offset / size);
}

/** Compares SHA-256 where a store does so on reads: of a whole blob, or of each chunk of a range. */
export class SumCheck {
  readonly #recipe: Recipe;
  readonly #hash: ReturnType<typeof createHash> | undefined;
  readonly #each: boolean;

  constructor({ verifyReads }: ReadWorld, recipe: Recipe, range: ByteRange) {
    const whole = range.start === 0 && range.end === recipe.size;
    this.#recipe = recipe;
    this.#hash = verifyReads && whole ? createHash("sha256") : undefined;
    this.#each = verifyReads && !whole;
  }

  /**
   * Takes the next chunks, one behind the other. That of the whole is compared before the last
   * bytes are handed out: whoever counts them would take them for the whole.
   * @throws {CacheError} `corrupt`
   */
  check(bytes: Bytes, chunks: readonly PlacedEntry[]): void {
    const begin = chunks[0]?.offset ?? 0;
    for (const { id, offset, length } of this.#each ? chunks : []) {
      const chunk = bytes.subarray(offset - begin, offset - begin + length);
      if (!equalBytes(chunkIdOf(sha256(chunk)), id)) {
        throw this.#broken("the bytes of a chunk are not its own");
      }
    }
    if (!this.#hash) return;
    this.#hash.update(bytes);
    if (begin + bytes.length < this.#recipe.size) return;
    const digest = digestFromBytes(new Uint8Array(this.#hash.digest()));
    if (digest !== this.#recipe.digest) throw this.#broken(`its bytes have digest "${digest}"`);
  }
  #broken(state: string): CacheError {
    return new CacheError("corrupt", `Cannot read blob "${this.#recipe.digest}": ${state}`, {
      operation: "cas.read",
    });
  }
}
