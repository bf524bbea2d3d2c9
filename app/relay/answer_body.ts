/** The body of the server's answer on its way to a build tool. */
import type { ByteStream } from "../../core/bytes.ts";
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { SMALL_BODY_BYTES } from "../../core/limits.ts";
import { SpoolFile } from "../../client/spool_file.ts";
import type { Patience } from "./patience.ts";

/** One pass over an answer's body. Owns it: reads it to its end or cancels it. */
export class AnswerBody {
  /** As Content-Length says. */
  readonly size: number | undefined;
  readonly #reader: ReadableStreamDefaultReader<Bytes>;
  readonly #patience: Patience;
  readonly #late: AbortSignal;
  #received = 0;

  /** `late` aborts when `patience` ends, and has ended the connection then. */
  constructor(
    body: ByteStream,
    options: { readonly size: number | undefined; patience: Patience; late: AbortSignal },
  ) {
    this.size = options.size;
    this.#reader = body.getReader();
    this.#patience = options.patience;
    this.#late = options.late;
  }

  /** Whether it may be held in memory. */
  get small(): boolean {
    return this.size !== undefined && this.size <= SMALL_BODY_BYTES;
  }
  /** All of it. @throws {CacheError} `timeout`, `unavailable` when it breaks off */
  async whole(): Promise<Bytes> {
    const parts: Bytes[] = [];
    for (let part = await this.#read(); part; part = await this.#read()) parts.push(part);
    return concat(parts);
  }
  /** All of it in a file without a name, which ends with the stream. @throws as {@linkcode whole} */
  async spooled(): Promise<{ readonly stream: ByteStream; readonly size: number }> {
    const file = await SpoolFile.create();
    try {
      for (let part = await this.#read(); part; part = await this.#read()) await file.append(part);
      return { stream: endingWith(file), size: file.size };
    } catch (thrown) {
      await file[Symbol.asyncDispose]();
      await this.cancel();
      throw thrown;
    }
  }
  /** As it comes; `onEnd` hears of the failure that broke it, if one did. */
  stream(onEnd: (error: CacheError | undefined) => void): ByteStream {
    return new ReadableStream<Bytes>({
      pull: async (controller) => {
        try {
          const part = await this.#read();
          if (part) return controller.enqueue(part);
          onEnd(undefined);
          controller.close();
        } catch (thrown) {
          onEnd(toCacheError(thrown, "client.relay"));
          throw thrown;
        }
      },
      cancel: async () => {
        onEnd(undefined);
        await this.cancel();
      },
    }, { highWaterMark: 0 });
  }
  /** Gives the rest up. */
  async cancel(): Promise<void> {
    // A connection that broke has nothing left to give up.
    await this.#reader.cancel().catch(() => {});
  }

  async #read(): Promise<Bytes | undefined> {
    this.#patience.wait();
    const { done, value } = await this.#readOrLate();
    this.#patience.moved(value?.length);
    this.#received += value?.length ?? 0;
    if (!done) return value;
    if (this.size !== undefined && this.size !== this.#received) throw broken();
    return undefined;
  }
  async #readOrLate(): Promise<ReadableStreamReadResult<Bytes>> {
    try {
      return await this.#reader.read();
    } catch (thrown) {
      if (this.#late.aborted) throw this.#late.reason;
      throw broken(thrown);
    }
  }
}

function broken(cause?: unknown): CacheError {
  return new CacheError("unavailable", "Cannot read the answer: the connection broke", {
    operation: "client.relay",
    cause,
  });
}

function endingWith(file: SpoolFile): ByteStream {
  const reader = file.stream().getReader();
  const end = async () => await file[Symbol.asyncDispose]();
  return new ReadableStream<Bytes>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
      } catch (thrown) {
        await end();
        throw thrown;
      }
      await end();
      controller.close();
    },
    cancel: end,
  }, { highWaterMark: 0 });
}
