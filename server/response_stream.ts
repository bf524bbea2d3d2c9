/** The one stage around a stream that goes out: counts, notices a stall, tells when it is over. */
import type { ByteStream, LentParts, ObjectBody } from "../core/bytes.ts";
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

/**
 * Opens a body. `takesParts`: whether whoever reads has taken each part before he asks for the next,
 * so that they need only be lent.
 */
export function partsOf(body: ByteStream | ObjectBody, takesParts: boolean): LentParts {
  if (!(body instanceof ReadableStream)) {
    return (takesParts ? body.lend?.() : undefined) ?? partsOf(body.stream(), false);
  }
  const reader = body.getReader();
  return {
    read: async () => (await reader.read()).value,
    // Its failure changes nothing any more: who reads the answer is gone, or has the first error.
    close: () => void reader.cancel().catch(() => {}),
  };
}

/** Takes over `inner`; cancelling the result closes it. */
export function watchResponse(inner: LentParts, options: WatchOptions): ByteStream {
  const { length } = options;
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
    inner.close();
  }
  async function pull(): Promise<void> {
    watch.resume();
    try {
      const value = await inner.read();
      if (over) return;
      const done = value === undefined;
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
    cancel() {
      end(new CacheError("cancelled", "Cannot send the body: the client left"));
      inner.close();
    },
  }, { highWaterMark: 0 });
}
