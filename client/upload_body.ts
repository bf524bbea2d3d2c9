/** A source on its way out: counted, checked against its size, and never left open. */
import type { ByteSource, ByteStream } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";

/** The body of one try. Disposing it cancels the source's stream unless that was read to its end. */
export interface UploadBody extends AsyncDisposable {
  /** For `fetch`: bytes that are here already, or a stream. */
  readonly body: Bytes | ByteStream;
  /** Why the source failed, if it did; `fetch` itself would only say that sending did. */
  readonly failure: unknown;
}

/** Hears of a body on its way. */
export interface UploadOptions {
  /** Bytes were taken by the connection. */
  onProgress(): void;
  readonly signal: AbortSignal;
}

/** Opens `source` for one try. */
export function openUpload(source: ByteSource, options: UploadOptions): UploadBody {
  if (source.bytes) {
    return { body: source.bytes, failure: undefined, [Symbol.asyncDispose]: async () => {} };
  }
  return new StreamUpload(source, options);
}

class StreamUpload implements UploadBody {
  readonly body: ByteStream;
  failure: unknown = undefined;
  readonly #reader: ReadableStreamDefaultReader<Bytes>;
  readonly #size: number | undefined;
  #sent = 0;
  #open = true;
  #cancelled = false;

  constructor(source: ByteSource, { onProgress, signal }: UploadOptions) {
    this.#reader = source.open({ signal }).getReader();
    this.#size = source.size;
    const pull = async (controller: ReadableStreamDefaultController<Bytes>) => {
      const part = await this.#next();
      onProgress();
      if (part) controller.enqueue(part);
      if (!part || this.#sent === this.#size) controller.close();
    };
    const cancel = () => this[Symbol.asyncDispose]();
    this.body = new ReadableStream<Bytes>({ pull, cancel }, { highWaterMark: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#cancelled = true;
    await this.#reader.cancel();
  }

  /** The next bytes, or `undefined` at the end. The last ones only when they are known to be that. */
  async #next(): Promise<Bytes | undefined> {
    const part = await this.#read();
    this.#sent += part?.length ?? 0;
    // With them the server has all that it was told of, and would store what is too long, cut off.
    if (part && this.#sent === this.#size) this.#sent += (await this.#read())?.length ?? 0;
    const size = this.#size;
    // Who has let go of the body is not interested in its size.
    const wrong = size !== undefined && this.#sent !== size && (!part || this.#sent > size);
    if (!wrong || this.#cancelled) return part;
    this.failure = new CacheError(
      "invalid_argument",
      `Cannot send the body: it has ${part ? "at least " : ""}${this.#sent} bytes, want ${size}`,
      { operation: "client.upload" },
    );
    throw this.failure;
  }

  /** The next bytes that are any, or `undefined` at the end. */
  async #read(): Promise<Bytes | undefined> {
    try {
      while (true) {
        const { done, value } = await this.#reader.read();
        if (done) this.#open = false;
        if (done || value.length > 0) return value;
      }
    } catch (thrown) {
      this.#open = false;
      this.failure = thrown;
      throw thrown;
    }
  }
}
