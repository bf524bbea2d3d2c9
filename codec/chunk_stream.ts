/** Cuts bytes that come in pieces; where they are cut does not depend on the pieces. */
import { abortable } from "../core/abort.ts";
import type { ByteStream, SignalOptions } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { DEFAULT_CHUNKER, findCut, prepareChunker } from "./chunker.ts";
import type { ChunkerParams, PreparedChunker } from "./chunker.ts";

/** Bytes that the collecting buffer has at first; it grows to twice the largest chunk. */
const FIRST_BUFFER_BYTES = 64 * 1024;

/**
 * Cuts one blob. Push its bytes, then flush. Every chunk owns its memory, so that it can be
 * transferred to another thread. Holds at most twice the largest chunk besides what it returns.
 */
export class Chunker {
  readonly #prepared: PreparedChunker;
  readonly #max: number;
  #buffer: Bytes = new Uint8Array(0);
  #start = 0;
  #end = 0;

  /** @throws {CacheError} `invalid_argument` for parameters that do not fit together */
  constructor(chunker: ChunkerParams | PreparedChunker = DEFAULT_CHUNKER) {
    this.#prepared = "params" in chunker ? chunker : prepareChunker(chunker);
    this.#max = this.#prepared.params.max;
  }
  /** Takes more bytes, and returns the chunks that are now certain. Does not keep `bytes`. */
  push(bytes: Uint8Array): Bytes[] {
    const chunks: Bytes[] = [];
    let at = 0;
    while (at < bytes.length) {
      const held = this.#end - this.#start;
      if (held === 0 && bytes.length - at >= this.#max) {
        const length = findCut(bytes, at, bytes.length, this.#prepared);
        chunks.push(copyOf(bytes, at, at + length));
        at += length;
        continue;
      }
      const take = Math.min(this.#max - held, bytes.length - at);
      this.#add(bytes.subarray(at, at + take));
      at += take;
      if (held + take === this.#max) chunks.push(this.#cut());
    }
    return chunks;
  }
  /** The chunks of what is left; the chunker is then as new. */
  flush(): Bytes[] {
    const chunks: Bytes[] = [];
    while (this.#end > this.#start) chunks.push(this.#cut());
    return chunks;
  }
  /** Drops what is left, and gives its memory back at once; the chunker is then as new. */
  giveUp(): void {
    this.#buffer.buffer.transfer(0);
    this.#buffer = new Uint8Array(0);
    this.#start = this.#end = 0;
  }
  #cut(): Bytes {
    const length = findCut(this.#buffer, this.#start, this.#end, this.#prepared);
    const chunk = copyOf(this.#buffer, this.#start, this.#start + length);
    this.#start += length;
    if (this.#start === this.#end) this.#start = this.#end = 0;
    return chunk;
  }
  #add(bytes: Uint8Array): void {
    const held = this.#end - this.#start;
    if (this.#end + bytes.length > this.#buffer.length) {
      const want = held + bytes.length;
      if (want * 2 <= this.#buffer.length || this.#buffer.length === 2 * this.#max) {
        this.#buffer.copyWithin(0, this.#start, this.#end);
      } else {
        const size = Math.max(FIRST_BUFFER_BYTES, 2 ** Math.ceil(Math.log2(want * 2)));
        const larger = new Uint8Array(Math.min(2 * this.#max, size));
        larger.set(this.#buffer.subarray(this.#start, this.#end));
        this.#buffer.buffer.transfer(0);
        this.#buffer = larger;
      }
      this.#start = 0;
      this.#end = held;
    }
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }
}

/** Options of {@linkcode chunkStream}. */
export interface ChunkStreamOptions extends SignalOptions {
  /** Default: {@linkcode DEFAULT_CHUNKER}. */
  readonly chunker?: ChunkerParams | PreparedChunker;
}

/**
 * The chunks of a stream, each with memory of its own. Owns the stream: it is read to its end, or
 * cancelled when the caller leaves early, the signal aborts or reading fails.
 */
export async function* chunkStream(
  stream: ByteStream,
  { chunker, signal }: ChunkStreamOptions = {},
): AsyncGenerator<Bytes, void, void> {
  const reader = stream.getReader();
  let finished = false;
  let reason: unknown;
  try {
    const cutter = new Chunker(chunker);
    while (true) {
      const { done, value } = await abortable(reader.read(), signal);
      if (done) break;
      for (const chunk of cutter.push(value)) yield chunk;
    }
    finished = true;
    for (const chunk of cutter.flush()) yield chunk;
  } catch (thrown) {
    reason = thrown;
    throw thrown;
  } finally {
    if (finished) reader.releaseLock();
    else await giveUp(reader, reason);
  }
}

async function giveUp(reader: ReadableStreamDefaultReader<Bytes>, reason: unknown): Promise<void> {
  try {
    await reader.cancel(reason);
  } catch (thrown) {
    // A stream that failed rejects its cancel with the error that the caller gets already.
    if (reason === undefined) throw thrown;
  } finally {
    reader.releaseLock();
  }
}

function copyOf(bytes: Uint8Array, start: number, end: number): Bytes {
  return new Uint8Array(bytes.subarray(start, end));
}
