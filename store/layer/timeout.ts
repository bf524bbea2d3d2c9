/**
 * Timeout: gives up a medium that makes no progress. Idle time, not total time: a large object over
 * a slow line may take an hour as long as bytes arrive.
 *
 * Stands inside retry, so that each try has its own time, and inside limit, so that waiting in line
 * is not counted. Only the medium's time counts: while it waits for a slow source or for a slow
 * reader, the clock of this layer stands still.
 */
import { abortable, anySignal } from "../../core/abort.ts";
import type { Clock } from "../../core/clock.ts";
import { CacheError } from "../../core/errors.ts";
import { STORE_IDLE_MS } from "../../core/limits.ts";
import type { ListOptions, ObjectInfo, ObjectStore } from "../../core/object_store.ts";
import { forwardStore, objectLayer } from "./layer.ts";
import type { ObjectLayer } from "./layer.ts";
import { watchBody, watchSource } from "./watch_body.ts";

/** Options of {@linkcode timeoutLayer}. */
export interface TimeoutOptions {
  readonly clock: Clock;
  /** Milliseconds without progress. Default {@linkcode STORE_IDLE_MS}. */
  readonly idleMs?: number | undefined;
}

/** One timer for one call and its stream; it runs until {@linkcode IdleTimer.release}. */
class IdleTimer {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #late = new AbortController();
  readonly #released = new AbortController();
  #deadline: number | undefined;

  constructor(what: string, { clock, idleMs = STORE_IDLE_MS }: TimeoutOptions) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#run(what).catch((error) => {
      // The only way to wake a released timer is its own signal; anything else is a broken clock.
      if (!this.#released.signal.aborted) this.#late.abort(error);
    });
  }
  /** Aborts with a `timeout` when the medium has been idle for too long. */
  get signal(): AbortSignal {
    return this.#late.signal;
  }
  /** The medium has to do something from now on. */
  start(): void {
    this.#deadline = this.#clock.monotonic() + this.#idleMs;
  }
  /** The medium waits for somebody else. */
  pause(): void {
    this.#deadline = undefined;
  }
  /** The call and its stream are over. */
  release(): void {
    this.pause();
    this.#released.abort();
  }
  async #run(what: string): Promise<void> {
    this.start();
    let wait = this.#idleMs;
    while (true) {
      await this.#clock.sleep(wait, this.#released.signal);
      wait = this.#deadline === undefined ? this.#idleMs : this.#deadline - this.#clock.monotonic();
      if (wait <= 0) break;
    }
    this.#late.abort(
      new CacheError("timeout", `Cannot ${what}: no progress in ${this.#idleMs} ms`, {
        operation: "timeout",
      }),
    );
  }
}

/** A layer whose calls reject with `timeout`, which is temporary, when the medium hangs. */
export function timeoutLayer(options: TimeoutOptions): ObjectLayer {
  return objectLayer("timeout", (inner) => timeoutStore(inner, options));
}

function timeoutStore(inner: ObjectStore, options: TimeoutOptions): ObjectStore {
  async function during<T>(
    what: string,
    user: AbortSignal | undefined,
    call: (signal: AbortSignal | undefined, timer: IdleTimer) => Promise<T>,
  ): Promise<T> {
    const timer = new IdleTimer(what, options);
    try {
      const signal = anySignal(user, timer.signal);
      return await abortable(call(signal, timer), signal);
    } finally {
      timer.release();
    }
  }
  return forwardStore(inner, {
    async get(key, get = {}) {
      const timer = new IdleTimer(`read object "${key}" of ${inner.name}`, options);
      const signal = anySignal(get.signal, timer.signal);
      const call = inner.get(key, { ...get, signal });
      try {
        const body = await abortable(call, signal);
        timer.pause();
        if (!body) {
          timer.release();
          return undefined;
        }
        return watchBody(body, {
          async read(next) {
            timer.start();
            try {
              return await abortable(next(), signal);
            } finally {
              timer.pause();
            }
          },
          end: () => timer.release(),
        });
      } catch (error) {
        timer.release();
        // A medium that ignores the signal may still answer; nobody would close that body.
        call.then((late) => late?.cancel()).catch(() => {});
        throw error;
      }
    },
    put: (key, source, put = {}) =>
      during(`store object "${key}" in ${inner.name}`, put.signal, (signal, timer) => {
        const watched = watchSource(source, {
          async read(next) {
            timer.pause();
            try {
              return await next();
            } finally {
              timer.start();
            }
          },
        });
        return inner.put(key, watched, { ...put, signal });
      }),
    stat: (keys, stat = {}) =>
      during(
        `look at objects of ${inner.name}`,
        stat.signal,
        (signal) => inner.stat(keys, { ...stat, signal }),
      ),
    delete: (keys, remove = {}) =>
      during(
        `remove objects of ${inner.name}`,
        remove.signal,
        (signal) => inner.delete(keys, { ...remove, signal }),
      ),
    async *list(list: ListOptions = {}): AsyncIterable<ObjectInfo> {
      const timer = new IdleTimer(`list ${inner.name}`, options);
      const signal = anySignal(list.signal, timer.signal);
      const items = inner.list({ ...list, signal })[Symbol.asyncIterator]();
      let hangs = false;
      try {
        while (true) {
          timer.start();
          const { done, value } = await abortable(items.next(), signal);
          timer.pause();
          if (done) return;
          yield value;
        }
      } catch (error) {
        hangs = signal?.aborted ?? false;
        throw error;
      } finally {
        timer.release();
        const closed = items.return?.();
        // An iterator that hangs in `next` would hang here as well; its signal is aborted.
        if (hangs) closed?.catch(() => {});
        else await closed;
      }
    },
  });
}
