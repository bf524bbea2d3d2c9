/**
 * Retry: tries again what may work the next time.
 *
 * Stands outside limit and timeout: a call that sleeps before its next try holds no slot, and each
 * try has a time of its own. Only `temporary` errors are tried again, and what was tried in vain
 * comes out `exhausted`, so that retries of several floors do not multiply.
 */
import { throwIfAborted } from "../../core/abort.ts";
import type { ByteSource } from "../../core/bytes.ts";
import type { ListOptions, ObjectInfo, ObjectStore } from "../../core/object_store.ts";
import { Backoff } from "./backoff.ts";
import type { RetryOptions } from "./backoff.ts";
import { forwardStore, objectLayer } from "./layer.ts";
import type { ObjectLayer } from "./layer.ts";
import { resumeBody } from "./resume.ts";

/** A layer that retries calls, resumes cut streams and continues cut lists. */
export function retryLayer(options: RetryOptions): ObjectLayer {
  return objectLayer("retry", (inner) => retryStore(inner, options));
}

function retryStore(inner: ObjectStore, options: RetryOptions): ObjectStore {
  async function again<T>(
    signal: AbortSignal | undefined,
    call: () => Promise<T>,
    canRepeat = () => true,
  ): Promise<T> {
    const backoff = new Backoff(options);
    while (true) {
      throwIfAborted(signal);
      try {
        return await call();
      } catch (error) {
        if (!canRepeat()) throw error;
        await backoff.next(error, signal);
      }
    }
  }
  return forwardStore(inner, {
    async get(key, get = {}) {
      const started = options.clock.now();
      const body = await again(get.signal, () => inner.get(key, get));
      return body && resumeBody(body, { key, get, started, inner, retry: options });
    },
    put(key, source, put = {}) {
      const { once, wasOpened } = noteOpening(source);
      const canRepeat = () => source.replayable || !wasOpened();
      return again(put.signal, () => inner.put(key, once, put), canRepeat);
    },
    stat: (keys, stat) => again(stat?.signal, () => inner.stat(keys, stat)),
    delete: (keys, remove) => again(remove?.signal, () => inner.delete(keys, remove)),
    async *list(list: ListOptions = {}): AsyncIterable<ObjectInfo> {
      const backoff = new Backoff(options);
      let after = list.after;
      let seen = false;
      while (true) {
        try {
          for await (const info of inner.list({ ...list, after })) {
            backoff.progress();
            seen = true;
            after = info.key;
            yield info;
          }
          return;
        } catch (error) {
          // Without order nobody knows what came before the cut.
          if (seen && !inner.capability.ordered) throw error;
          await backoff.next(error, list.signal);
        }
      }
    },
  });
}

/** A one-time source can be tried again as long as nobody has opened it. */
function noteOpening(source: ByteSource): { once: ByteSource; wasOpened: () => boolean } {
  if (source.replayable) return { once: source, wasOpened: () => false };
  let opened = false;
  const once: ByteSource = {
    size: source.size,
    replayable: false,
    ...(source.bytes === undefined ? {} : { bytes: source.bytes }),
    ...(source.path === undefined ? {} : { path: source.path }),
    open(options) {
      opened = true;
      return source.open(options);
    },
  };
  return { once, wasOpened: () => opened };
}
