/**
 * Blocks of long blobs on their way out. Readers of one blob that are near one another share the
 * read: a block stays until the last of them has come by. Its memory goes back at once when nobody
 * needs it any more, since dead blocks would pile up until the next collection.
 */
import type { Bytes, Digest } from "../../core/digest.ts";
import {
  CROWDED_READ_BLOCK_BYTES,
  DOWNLOAD_HELD_BYTES,
  READ_AHEAD_BYTES,
  READ_BLOCK_BYTES,
  READ_BLOCKS_BYTES,
} from "../../core/limits.ts";
import { ReadTurns } from "./read_turns.ts";

/** Checked bytes that several readers may have. */
export class Block {
  readonly bytes: Bytes;
  #holders = 1;

  /** `bytes` are the only ones in their memory. */
  constructor(bytes: Bytes) {
    this.bytes = bytes;
  }
  /** One more needs it; each gives it back by {@linkcode release}. */
  hold(): this {
    this.#holders++;
    return this;
  }
  /** Not needed here any more. The runtime may still be sending: it keeps the memory itself. */
  release(): void {
    if (--this.#holders === 0) this.bytes.buffer.transfer(0);
  }
}

interface Kept {
  readonly block: Block;
  readonly start: number;
  readonly end: number;
}

interface Blob {
  readonly digest: Digest;
  /** Where in the blob each of its readers is. */
  readonly readers: Set<BlockReader>;
  /** By the offset of their first byte. */
  readonly kept: Map<number, Kept>;
  /** The losses of the store when they were read. */
  losses: number;
}

/** Options of {@linkcode Blocks}. */
export interface BlocksOptions {
  /** The losses of the store: none that was read before is kept after they have moved. */
  readonly losses: () => number;
  /** Bytes that answers on their way count for, of all threads. Default: none. */
  readonly held?: (() => number) | undefined;
  /** Bytes that are kept. Default: `READ_BLOCKS_BYTES`. */
  readonly limit?: number | undefined;
}

/** The blocks of one thread. */
export class Blocks {
  /** When blocks may be read. */
  readonly turns = new ReadTurns();
  readonly #limit: number;
  readonly #losses: () => number;
  readonly #held: () => number;
  readonly #blobs = new Map<Digest, Blob>();
  // In the order in which they were read.
  readonly #kept = new Map<Kept, Blob>();
  #bytes = 0;
  #readers = 0;

  constructor(options: BlocksOptions) {
    this.#losses = options.losses;
    this.#held = options.held ?? (() => 0);
    this.#limit = options.limit ?? READ_BLOCKS_BYTES;
  }

  /**
   * Bytes of a block for one who begins to read now: a client that stands still keeps two of them
   * in memory, and a thousand of those must not keep a thousand large ones.
   */
  size(): number {
    const downloads = this.#held() / DOWNLOAD_HELD_BYTES;
    const crowded = downloads * 2 * READ_BLOCK_BYTES > READ_AHEAD_BYTES;
    return crowded ? CROWDED_READ_BLOCK_BYTES : READ_BLOCK_BYTES;
  }

  /** Bytes that are kept for readers who come behind. */
  get bytes(): number {
    return this.#bytes;
  }
  /** Readers that are under way. */
  get readers(): number {
    return this.#readers;
  }

  /** One more reader of a blob; whoever has it disposes it. */
  join(digest: Digest): BlockReader {
    let blob = this.#blobs.get(digest);
    if (!blob) {
      blob = { digest, readers: new Set(), kept: new Map(), losses: this.#losses() };
      this.#blobs.set(digest, blob);
    }
    const own = blob;
    const reader: BlockReader = {
      offset: -1,
      take: (start, end, read) => this.#take(own, reader, { start, end, read }),
      [Symbol.dispose]: () => {
        if (!own.readers.delete(reader)) return;
        this.#readers--;
        this.#drop(own, this.#passed(own));
        if (own.readers.size === 0) this.#blobs.delete(own.digest);
      },
    };
    blob.readers.add(reader);
    this.#readers++;
    return reader;
  }

  #take(
    blob: Blob,
    reader: BlockReader,
    { start, end, read }: { start: number; end: number; read: () => Bytes | Promise<Bytes> },
  ): Block | Promise<Block> {
    reader.offset = start;
    const losses = this.#losses();
    if (blob.losses !== losses) this.#drop(blob, Infinity);
    blob.losses = losses;
    const known = blob.kept.get(start);
    // Of a range the first and last block are shorter than those of the whole.
    const block = known?.end === end ? known.block.hold() : undefined;
    this.#drop(blob, this.#passed(blob));
    if (block) return block;
    const bytes = read();
    const keep = (bytes: Bytes) => this.#keep(blob, { block: new Block(bytes), start, end });
    return bytes instanceof Promise ? bytes.then(keep) : keep(bytes);
  }

  #keep(blob: Blob, kept: Kept): Block {
    const { block, start } = kept;
    const size = kept.end - start;
    const wanted = [...blob.readers].some((reader) => reader.offset < start);
    if (!wanted || size > this.#limit || blob.kept.has(start)) return block;
    for (const [oldest, its] of this.#kept) {
      if (this.#bytes + size <= this.#limit) break;
      this.#forget(its, oldest);
    }
    blob.kept.set(start, kept);
    this.#kept.set(kept, blob);
    this.#bytes += size;
    block.hold();
    return block;
  }

  /** Up to where all readers of a blob have read. */
  #passed(blob: Blob): number {
    let least = Infinity;
    for (const { offset } of blob.readers) least = Math.min(least, offset);
    return least;
  }
  #drop(blob: Blob, upTo: number): void {
    for (const kept of blob.kept.values()) if (kept.start <= upTo) this.#forget(blob, kept);
  }
  #forget(blob: Blob, kept: Kept): void {
    blob.kept.delete(kept.start);
    this.#kept.delete(kept);
    this.#bytes -= kept.end - kept.start;
    kept.block.release();
  }
}

/** One that reads a blob from front to back. */
export interface BlockReader extends Disposable {
  /** Where the last block began that it took; -1 before the first. */
  offset: number;
  /**
   * The block of these bytes of the blob, read by `read` unless it is here. Offsets only grow. The
   * caller releases it, or leaves it to the collector.
   */
  take(start: number, end: number, read: () => Bytes | Promise<Bytes>): Block | Promise<Block>;
}
