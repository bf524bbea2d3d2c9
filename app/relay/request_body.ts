/** The body of a build tool's request on its way to the server. */
import type { ByteStream } from "../../core/bytes.ts";
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { SMALL_BODY_BYTES } from "../../core/limits.ts";
import type { Patience } from "./patience.ts";

/**
 * Reads a body for the server, and to its end whatever becomes of that: a tool that is answered while
 * it still sends may take the connection's end for a failure.
 */
export class RequestBody {
  /** As Content-Length says; `undefined` for a chunked body. */
  readonly size: number | undefined;
  readonly #reader: ReadableStreamDefaultReader<Bytes>;
  /** What was read before it was known to be large. */
  #first: Bytes | undefined;
  #ended = false;

  /** Owns the body. */
  constructor(body: ByteStream, headers: Headers) {
    const length = headers.get("content-length");
    this.size = length === null ? undefined : Number(length);
    this.#reader = body.getReader();
  }

  /** The whole of a body that is small, also of a chunked one; `undefined` for another. */
  async small(): Promise<Bytes | undefined> {
    if (this.size !== undefined && this.size > SMALL_BODY_BYTES) return undefined;
    const parts: Bytes[] = [];
    let bytes = 0;
    for (let part = await this.#read(); part; part = await this.#read()) {
      parts.push(part);
      bytes += part.length;
      if (bytes <= SMALL_BODY_BYTES) continue;
      this.#first = concat(parts);
      return undefined;
    }
    return concat(parts);
  }
  /** The body as a stream; `patience` counts while nobody asks for more of it. */
  stream(patience: Patience): ByteStream {
    let last = 0;
    return new ReadableStream<Bytes>({
      pull: async (controller) => {
        patience.moved(last);
        const part = await this.#read();
        last = part?.length ?? 0;
        patience.wait();
        if (part) controller.enqueue(part);
        else controller.close();
      },
    }, { highWaterMark: 0 });
  }
  /** Reads what is left and throws it away. Does not reject when the tool is gone. */
  async drain(): Promise<void> {
    try {
      while (await this.#read());
    } catch {
      this.#ended = true; // nobody is left who could be answered
    }
  }

  async #read(): Promise<Bytes | undefined> {
    const first = this.#first;
    this.#first = undefined;
    if (first) return first;
    if (this.#ended) return undefined;
    const { done, value } = await this.#reader.read();
    if (!done) return value;
    this.#ended = true;
    return undefined;
  }
}
