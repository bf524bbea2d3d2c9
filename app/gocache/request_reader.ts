/** Reads what the go command writes; a body is decoded part by part, however large it is. */
import type { ByteStream } from "../../core/bytes.ts";
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import type { GoRequest } from "./messages.ts";
import { malformed, parseRequest } from "./messages.ts";

/** Bytes of the longest line that is no body: it names two digests. */
const MAX_LINE_BYTES = 64 * 1024;

const NEWLINE = 10;
const QUOTE = 34;

/** Questions in the order in which they come. */
export class RequestReader {
  readonly #reader: ReadableStreamDefaultReader<Bytes>;
  readonly #text = new TextDecoder();
  #part: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** Takes the stream over. */
  constructor(stream: ByteStream) {
    this.#reader = stream.getReader();
  }

  /**
   * The next question; `undefined` when the go command is gone. The body of the one before must
   * have been read to its end.
   * @throws {CacheError} `invalid_argument` for what is none
   */
  async next(): Promise<GoRequest | undefined> {
    while (true) {
      const line = await this.#line();
      if (line === undefined) return undefined;
      if (line !== "") return parseRequest(line);
    }
  }

  /**
   * The bytes of a body of this size, in parts.
   * @throws {CacheError} `invalid_argument` when they are no base64, or more or fewer
   */
  async *body(size: number): AsyncGenerator<Bytes> {
    await this.#quote();
    let left = Math.ceil(size / 3) * 4;
    let got = 0;
    let rest = new Uint8Array(0);
    while (left > 0) {
      if (this.#at === this.#part.length && !await this.#more()) throw malformed();
      const part = this.#part.subarray(this.#at, this.#at + left - rest.length);
      this.#at += part.length;
      const all = rest.length === 0 ? part : concat([rest, part]);
      const whole = all.length - all.length % 4;
      rest = all.slice(whole);
      if (whole === 0) continue;
      left -= whole;
      const bytes = this.#decode(all.subarray(0, whole));
      got += bytes.length;
      yield bytes;
    }
    if (got !== size) throw malformed();
    await this.#quote();
  }

  /** Reads no more. */
  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }

  #decode(digits: Uint8Array): Bytes {
    try {
      return Uint8Array.fromBase64(this.#text.decode(digits));
    } catch (cause) {
      throw malformed(cause);
    }
  }

  /** Passes the quotation mark in front of a body, or behind it. */
  async #quote(): Promise<void> {
    while (true) {
      while (this.#at < this.#part.length) {
        const byte = this.#part[this.#at++];
        if (byte === QUOTE) return;
        if (byte !== NEWLINE) throw malformed();
      }
      if (!await this.#more()) throw malformed();
    }
  }

  async #line(): Promise<string | undefined> {
    let before: Uint8Array | undefined;
    while (true) {
      const end = this.#part.indexOf(NEWLINE, this.#at);
      const part = this.#part.subarray(this.#at, end < 0 ? undefined : end);
      const all = before ? concat([before, part]) : part;
      if (all.length > MAX_LINE_BYTES) throw malformed();
      if (end >= 0) {
        this.#at = end + 1;
        return this.#text.decode(all);
      }
      before = all;
      if (await this.#more()) continue;
      if (all.length > 0) throw malformed();
      return undefined;
    }
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    this.#part = value ?? new Uint8Array(0);
    this.#at = 0;
    return !done;
  }
}
