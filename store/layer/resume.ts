/** The stream of a `get` that survives a cut: the rest is asked for as a range. Part of retry. */
import { anySignal } from "../../core/abort.ts";
import type { ByteStream, ObjectBody } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { RESUME_SKEW_MS } from "../../core/limits.ts";
import type { GetOptions, ObjectStore } from "../../core/object_store.ts";
import { Backoff } from "./backoff.ts";
import type { RetryOptions } from "./backoff.ts";

/** What {@linkcode resumeBody} needs to ask again. */
export interface ResumeOptions {
  readonly key: string;
  /** As the body was asked for. */
  readonly get: GetOptions;
  /** Milliseconds since 1970 before the body was asked for. */
  readonly started: number;
  readonly inner: ObjectStore;
  readonly retry: RetryOptions;
}

/**
 * The same body, but its stream goes on after a `temporary` error where the medium takes ranges
 * and the object is surely still the same: of the same size, and not written since a minute before
 * the first byte was asked for (the minute is for clocks that differ). Otherwise the stream breaks
 * as it would have.
 */
export function resumeBody(body: ObjectBody, options: ResumeOptions): ObjectBody {
  if (body.bytes !== undefined || !options.inner.capability.range) return body;
  return {
    size: body.size,
    total: body.total,
    stream: () => resumingStream(body, options),
    cancel: () => body.cancel(),
  };
}

function resumingStream(body: ObjectBody, options: ResumeOptions): ByteStream {
  const left = new AbortController();
  const signal = anySignal(options.get.signal, left.signal);
  const backoff = new Backoff(options.retry);
  let reader = body.stream().getReader();
  let received = 0;
  let broken = false;
  /** Reads on, from a new stream if the old one broke. */
  const read = async (): Promise<Bytes | undefined> => {
    while (true) {
      try {
        const { done, value } = await reader.read();
        if (done) return undefined;
        received += value.length;
        backoff.progress();
        return value;
      } catch (error) {
        broken = true;
        await backoff.next(error, signal);
        const rest = await openRest(body, received, { ...options, backoff, signal });
        if (rest === undefined) throw error;
        reader.releaseLock();
        reader = rest.getReader();
        broken = false;
      }
    }
  };
  return new ReadableStream<Bytes>({
    async pull(controller) {
      const chunk = await read();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
    async cancel(reason) {
      left.abort(reason);
      // A broken stream has nothing to cancel, and would answer with its error.
      if (!broken) await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

/** The bytes from `received` on; `undefined` if they can not be the same object's. */
async function openRest(
  body: ObjectBody,
  received: number,
  options: ResumeOptions & { backoff: Backoff; signal: AbortSignal | undefined },
): Promise<ByteStream | undefined> {
  const { key, inner, get, backoff, signal } = options;
  const start = (get.range?.start ?? 0) + received;
  const range = { start, end: start + body.size - received };
  // Cut behind the last byte: there is no range to ask for.
  if (range.start >= range.end) return undefined;
  while (true) {
    try {
      const rest = await inner.get(key, { range, signal: get.signal });
      if (!rest) return undefined;
      if (await isSame(body, rest, options) && !signal?.aborted) return rest.stream();
      await rest.cancel();
      return undefined;
    } catch (error) {
      await backoff.next(error, signal);
    }
  }
}

/** Asked after the bytes are at hand: what `stat` says is true of them, or of newer ones. */
async function isSame(
  body: ObjectBody,
  rest: ObjectBody,
  options: ResumeOptions,
): Promise<boolean> {
  const { key, inner, get, started } = options;
  let info;
  try {
    [info] = await inner.stat([key], { signal: get.signal });
  } catch (error) {
    await rest.cancel();
    throw error;
  }
  return info?.modified !== undefined && info.size === body.total && rest.total === body.total &&
    info.modified + RESUME_SKEW_MS < started;
}
