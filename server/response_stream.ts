/** The one stage around a stream that goes out: counts, notices a stall, tells when it is over. */
import type { ByteStream } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError, toCacheError } from "../core/errors.ts";
import { RESPONSE_STALL_MS } from "../core/limits.ts";
import { IdleWatch } from "./idle_watch.ts";

/** What became of a body. */
export interface StreamEnd {
  readonly bytes: number;
  /** `undefined`: all of it went out. */
  readonly error: CacheError | undefined;
}

/** {@linkcode watchResponse}'s options. */
export interface WatchOptions {
  readonly clock: Clock;
  /** Bytes that the header promises; a body of another length is broken off. */
  readonly length: number | undefined;
  /** Called exactly once. */
  onEnd(end: StreamEnd): void;
}

/** Takes over `inner`; cancelling the result cancels it. */
export function watchResponse(inner: ByteStream, options: WatchOptions): ByteStream {
  const { length } = options;
  const reader = inner.getReader();
  let bytes = 0;
  let over = false;
  let out: ReadableStreamDefaultController<Bytes>;
  const watch = new IdleWatch(options.clock, {
    limit: RESPONSE_STALL_MS,
    onIdle: () => breakOff(new CacheError("timeout", "Cannot send the body: nobody reads it")),
    onError: breakOff,
  });

  function end(error?: CacheError): void {
    if (over) return;
    over = true;
    watch[Symbol.dispose]();
    options.onEnd({ bytes, error });
  }
  function breakOff(error: CacheError): void {
    if (over) return;
    end(error);
    out.error(error);
    // Its failure changes nothing any more: the reader of this stream has the first error.
    reader.cancel(error).catch(() => {});
  }
  async function pull(): Promise<void> {
    watch.resume();
    try {
      const { done, value } = await reader.read();
      if (over) return;
      if (done && length !== undefined && bytes !== length) {
        throw new CacheError("corrupt", `Cannot send the body: ${bytes} bytes, want ${length}`);
      }
      if (done) {
        out.close();
        return end();
      }
      bytes += value.length;
      out.enqueue(value);
      watch.wait();
    } catch (thrown) {
      breakOff(toCacheError(thrown, "response.read"));
    }
  }

  return new ReadableStream<Bytes>({
    start(controller) {
      out = controller;
    },
    pull,
    async cancel(reason) {
      end(new CacheError("cancelled", "Cannot send the body: the client left"));
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
