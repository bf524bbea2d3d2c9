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
  #open = true;

  constructor(source: ByteSource, { onProgress, signal }: UploadOptions) {
    this.#reader = source.open({ signal }).getReader();
    const { size } = source;
    let sent = 0;
    const pull = async (controller: ReadableStreamDefaultController<Bytes>) => {
      const { done, value } = await this.#read();
      sent += value?.length ?? 0;
      if (size !== undefined && (done ? sent < size : sent > size)) {
        this.failure = new CacheError(
          "invalid_argument",
          `Cannot send the body: it has ${done ? "" : "at least "}${sent} bytes, want ${size}`,
          { operation: "client.upload" },
        );
        throw this.failure;
      }
      onProgress();
      if (done) return controller.close();
      controller.enqueue(value);
    };
    const cancel = () => this[Symbol.asyncDispose]();
    this.body = new ReadableStream<Bytes>({ pull, cancel }, { highWaterMark: 0 });
  }
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#reader.cancel();
  }

  async #read(): Promise<ReadableStreamReadResult<Bytes>> {
    try {
      const result = await this.#reader.read();
      if (result.done) this.#open = false;
      return result;
    } catch (thrown) {
      this.#open = false;
      this.failure = thrown;
      throw thrown;
    }
  }
}
