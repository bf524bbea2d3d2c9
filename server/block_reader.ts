/**
 * Reads a request body in small views, and hands it on in large blocks.
 *
 * Deno 2.9's own HTTP/1.1 takes up to one view's length off the socket before each read, and gives
 * back the rest of one HTTP chunk at most. With the usual views of 64 KiB a body in smaller chunks
 * piles up there, unbounded, and the time to take each part grows with the pile: 50 MB in chunks
 * of 4 KiB cost 12 s of processor time. Small views keep the pile small, whoever sends.
 */
import type { Bytes } from "../core/digest.ts";
import {
  BODY_BLOCK_BYTES,
  BODY_VIEW_BYTES,
  EXACT_BODY_BYTES,
  SMALL_BODY_BYTES,
} from "../core/limits.ts";

/** What one look at a body brings: bytes, the end (no value), or nothing to hand on yet. */
export type Look = { readonly value?: Bytes | undefined } | "more";

/** Looks at a body again and again. Owns the stream. */
export interface PartReader {
  /** Waits for the client at most once. After the end every look is the end. */
  look(): Promise<Look>;
  cancel(reason: unknown): Promise<void>;
}

/**
 * The way to read `stream`: in blocks where it has no known length, in one piece where it has one
 * that is neither tiny nor large, if it can be read so.
 */
export function partReader(
  stream: ReadableStream<Bytes>,
  length: number | undefined,
): PartReader {
  if (length === undefined) {
    const byob = byteReader(stream);
    return byob ? new Blocks(byob) : new Parts(stream.getReader());
  }
  const byob = length >= EXACT_BODY_BYTES && length <= SMALL_BODY_BYTES
    ? byteReader(stream)
    : undefined;
  return byob ? new Whole(byob, length) : new Parts(stream.getReader());
}

/** `undefined` for a stream that only hands out arrays of its own, such as a test's. */
function byteReader(stream: ReadableStream<Bytes>): ReadableStreamBYOBReader | undefined {
  try {
    return stream.getReader({ mode: "byob" });
  } catch (thrown) {
    // There is no other way to ask whether it is a byte stream; a locked one fails again below.
    if (thrown instanceof TypeError) return undefined;
    throw thrown;
  }
}

/** Parts as they come. */
class Parts implements PartReader {
  readonly #reader: ReadableStreamDefaultReader<Bytes>;
  constructor(reader: ReadableStreamDefaultReader<Bytes>) {
    this.#reader = reader;
  }
  look(): Promise<Look> {
    return this.#reader.read();
  }
  cancel(reason: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}

/** One part that is read to where it stays: no memory for each read, and no copy. */
class Whole implements PartReader {
  readonly #reader: ReadableStreamBYOBReader;
  #all: ArrayBuffer;
  #filled = 0;
  #given = false;
  constructor(reader: ReadableStreamBYOBReader, length: number) {
    this.#reader = reader;
    this.#all = new ArrayBuffer(length);
  }
  async look(): Promise<Look> {
    if (this.#given) return this.#beyond();
    const { value, done } = await this.#reader.read(new Uint8Array(this.#all, this.#filled));
    if (value) {
      this.#all = value.buffer;
      this.#filled += value.length;
    }
    const short = done || !value;
    if (!short && this.#filled < this.#all.byteLength) return "more";
    this.#given = true;
    if (!short) return { value: new Uint8Array(this.#all) };
    return this.#filled === 0 ? {} : { value: new Uint8Array(this.#all, 0, this.#filled) };
  }
  /** Mostly the end; what a client sends beyond its length is for the reader to refuse. */
  async #beyond(): Promise<Look> {
    const { value, done } = await this.#reader.read(new Uint8Array(1));
    return done || !value || value.length === 0 ? {} : { value };
  }
  cancel(reason: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}

/** Blocks, each of them read view by view. */
class Blocks implements PartReader {
  readonly #reader: ReadableStreamBYOBReader;
  #block = new ArrayBuffer(BODY_BLOCK_BYTES);
  #filled = 0;
  #ended = false;
  constructor(reader: ReadableStreamBYOBReader) {
    this.#reader = reader;
  }
  async look(): Promise<Look> {
    if (this.#ended) return {};
    const room = Math.min(BODY_VIEW_BYTES, BODY_BLOCK_BYTES - this.#filled);
    const { value, done } = await this.#reader.read(
      new Uint8Array(this.#block, this.#filled, room),
    );
    if (done || !value) {
      this.#ended = true;
      // Copied: a body of a few bytes must not hold a whole block for as long as it is needed.
      const rest = value && new Uint8Array(value.buffer, 0, this.#filled).slice();
      return { value: rest?.length === 0 ? undefined : rest };
    }
    this.#block = value.buffer;
    this.#filled += value.length;
    if (this.#filled < BODY_BLOCK_BYTES) return "more";
    const block = new Uint8Array(this.#block);
    this.#block = new ArrayBuffer(BODY_BLOCK_BYTES);
    this.#filled = 0;
    return { value: block };
  }
  cancel(reason: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}
