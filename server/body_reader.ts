/** Reads a request body: counts, limits while reading, gives up on a client that stands still. */
import type { Clock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { BODY_IDLE_MS } from "../core/limits.ts";
import { formatSize } from "../core/units.ts";
import { partReader } from "./block_reader.ts";
import type { PartReader } from "./block_reader.ts";
import type { Tally } from "./exchange.ts";
import { IdleWatch } from "./idle_watch.ts";

/** {@linkcode BodyReader}'s options. */
export interface BodyReaderOptions {
  readonly clock: Clock;
  readonly tally: Tally;
  /** Bytes on the wire; more is `too_large`. */
  readonly limit: number;
  /** Bytes that `Content-Length` promises; another number is `invalid_argument`. */
  readonly length: number | undefined;
  /** Whether the parts of the stream are ours with their memory; see `ByteSource.handsOver`. */
  readonly handsOver?: boolean;
}

/** One pass over a request body. Owns the stream: reads it to its end or cancels it. */
export class BodyReader {
  readonly #reader: PartReader;
  readonly #options: BodyReaderOptions;
  readonly #watch: IdleWatch;
  #received = 0;
  #ended = false;
  #failure: CacheError | undefined;

  constructor(stream: ReadableStream<Bytes>, options: BodyReaderOptions) {
    this.#reader = partReader(stream, options.length);
    this.#options = options;
    this.#watch = new IdleWatch(options.clock, {
      limit: BODY_IDLE_MS,
      onIdle: () => this.#stop(idle()),
      onError: (error) => this.#stop(error),
    });
  }
  /**
   * The next bytes, `undefined` at the end.
   * @throws {CacheError} `too_large`, `invalid_argument` for a wrong length, `timeout` after
   * `BODY_IDLE_MS` without a byte, `cancelled` when the client left
   */
  async read(): Promise<Bytes | undefined> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      this.#watch.wait();
      try {
        const look = await this.#reader.look();
        this.#watch.resume();
        if (this.#failure) throw this.#failure;
        if (look === "more") continue;
        this.#count(look.value?.length);
        if (this.#failure) throw this.#failure;
        return look.value;
      } catch (thrown) {
        // Nothing but the connection can fail here; the runtime calls it BadResource, or worse.
        this.#stop(left(thrown));
        throw this.#failure;
      }
    }
  }
  /** All of a body that promises `length` bytes. @throws as {@linkcode read} */
  async whole(length: number): Promise<Bytes> {
    let part = await this.read();
    if (part?.length === length) {
      // The usual case, one part: no copy. The end is read too, since it may bring an error.
      if (await this.read() === undefined) return part;
    }
    const all = new Uint8Array(length);
    let offset = 0;
    for (; part; part = await this.read()) {
      all.set(part, offset);
      offset += part.length;
      if (this.#options.handsOver) part.buffer.transfer(0);
    }
    return all;
  }
  /** Gives the body up. Safe to call twice, and at the end, where it is not needed. */
  async cancel(reason: unknown): Promise<void> {
    if (this.#ended) return;
    this.#watch[Symbol.dispose]();
    await this.#reader.cancel(reason);
  }
  #count(bytes: number | undefined): void {
    const { length, limit, tally } = this.#options;
    if (bytes === undefined) {
      this.#ended = true;
      this.#watch[Symbol.dispose]();
      if (length !== undefined && length !== this.#received) {
        this.#failure = wrongLength(this.#received, length);
      }
      return;
    }
    this.#received += bytes;
    tally.received += bytes;
    if (length !== undefined && this.#received > length) {
      this.#stop(wrongLength(this.#received, length));
    } else if (this.#received > limit) {
      this.#stop(tooLarge(limit));
    }
  }
  #stop(error: CacheError): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#watch[Symbol.dispose]();
    // A second failure changes nothing: whoever reads gets the first one.
    this.#reader.cancel(error).catch(() => {});
  }
}

/** The refusal of a body above the limit. */
export function tooLarge(limit: number, size?: number): CacheError {
  const state = size === undefined ? `more than ${formatSize(limit)}` : `${size} bytes`;
  return new CacheError(
    "too_large",
    `Cannot take the body: ${state}, want at most ${limit} bytes`,
    {
      operation: "body.read",
      context: { limit, ...(size === undefined ? {} : { size }) },
      hint: "bounded by --max-blob-size of the server, and by --max-size",
    },
  );
}

function wrongLength(received: number, length: number): CacheError {
  return new CacheError(
    "invalid_argument",
    `Cannot take the body: ${received} bytes, want ${length} as Content-Length says`,
    { operation: "body.read" },
  );
}

function idle(): CacheError {
  const seconds = BODY_IDLE_MS / 1000;
  return new CacheError("timeout", `Cannot take the body: no byte for ${seconds} s`, {
    operation: "body.read",
    context: { status: 408 },
  });
}

function left(cause: unknown): CacheError {
  return new CacheError("cancelled", "Cannot take the body: the client left", {
    operation: "body.read",
    cause,
  });
}
