/** An answer whose head is here; its body is watched while somebody waits for it. */
import type { ByteStream } from "../core/bytes.ts";
import { collect } from "../core/bytes.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_JSON_BYTES } from "../core/limits.ts";
import type { IdleWatch } from "./idle_watch.ts";

/** The head of an answer. Its body must be read or cancelled. */
export interface HttpReply {
  readonly status: number;
  readonly headers: Headers;
  /** The body as it comes, watched for silence. At most once. */
  stream(): ByteStream;
  /** Reads JSON. @throws {CacheError} `corrupt` when it is too long or none */
  readJson(): Promise<unknown>;
  /** Gives up a body whose stream was not opened. */
  cancel(): Promise<void>;
}

/** What watches over an answer until its body ended. */
export interface Watched {
  readonly watch: IdleWatch;
  readonly abort: AbortController;
  /** Stops the watch and lets go of the caller's signal. */
  end(): void;
}

/** A reply of `fetch`. */
export class WatchedReply implements HttpReply {
  readonly status: number;
  readonly headers: Headers;
  readonly #response: Response;
  readonly #watched: Watched;

  constructor(response: Response, watched: Watched) {
    this.status = response.status;
    this.headers = response.headers;
    this.#response = response;
    this.#watched = watched;
    // Whoever holds the reply decides when to read on; only a read that waits is watched.
    if (response.body) watched.watch.rest();
    else watched.end();
  }

  stream(): ByteStream {
    const { watch, abort, end } = this.#watched;
    const body = this.#response.body;
    if (!body) return new ReadableStream({ start: (controller) => controller.close() });
    const reader = body.getReader();
    return new ReadableStream({
      async pull(controller) {
        watch.wake();
        try {
          const { done, value } = await reader.read();
          watch.rest();
          if (!done) return controller.enqueue(value);
          end();
          controller.close();
        } catch (thrown) {
          end();
          throw broken(thrown, abort.signal);
        }
      },
      async cancel(reason) {
        end();
        await reader.cancel(reason);
      },
    }, { highWaterMark: 0 });
  }

  async readJson(): Promise<unknown> {
    try {
      return JSON.parse(new TextDecoder().decode(await collect(this.stream(), MAX_JSON_BYTES)));
    } catch (thrown) {
      if (thrown instanceof CacheError && thrown.kind !== "too_large") throw thrown;
      if (this.#watched.abort.signal.aborted) throw this.#watched.abort.signal.reason;
      throw new CacheError("corrupt", "Cannot read the answer: it is no JSON, or endless", {
        operation: "client.read",
        cause: thrown,
      });
    }
  }

  async cancel(): Promise<void> {
    this.#watched.end();
    // A body whose stream was opened belongs to whoever reads that.
    const { body } = this.#response;
    if (body && !body.locked) await body.cancel();
  }
}

/** A connection that broke, a time-out, or the caller's own abort. */
function broken(thrown: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  return new CacheError("unavailable", "Cannot read the answer: the connection broke", {
    operation: "client.read",
    cause: thrown,
  });
}
