/**
 * Limit: at most so many operations of the medium at once; the others wait in line.
 *
 * Stands inside retry, so that a call that sleeps before its next try holds no slot; and outside
 * timeout, so that waiting in line is not mistaken for a medium that hangs.
 */
import { onAbort, throwIfAborted } from "../../core/abort.ts";
import type { ListOptions, ObjectInfo, ObjectStore } from "../../core/object_store.ts";
import { forwardStore, objectLayer } from "./layer.ts";
import type { ObjectLayer } from "./layer.ts";
import { watchBody } from "./watch_body.ts";

/** Options of {@linkcode limitLayer}. */
export interface LimitOptions {
  /**
   * Operations at once, at least 1. A body holds its slot until it was read or cancelled, so whoever
   * copies inside one store needs two.
   */
  readonly concurrency: number;
}

/** Numbers that {@linkcode Slots} are handed out by, first come, first served. */
export class Slots {
  #free: number;
  readonly #total: number;
  readonly #waiting = new Set<() => void>();

  /** @throws {TypeError} unless `total` is a whole number from 1 on */
  constructor(total: number) {
    if (!Number.isSafeInteger(total) || total < 1) {
      throw new TypeError(`Cannot limit to ${total} operations: want a whole number from 1 on`);
    }
    this.#free = total;
    this.#total = total;
  }
  /** How many are in use. */
  get used(): number {
    return this.#total - this.#free;
  }
  /** How many calls of `take` wait. */
  get waiting(): number {
    return this.#waiting.size;
  }
  /** Waits for a slot; the returned function gives it back, once however often it is called. */
  async take(signal?: AbortSignal): Promise<() => void> {
    throwIfAborted(signal);
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    let taken = true;
    return () => {
      if (!taken) return;
      taken = false;
      this.#give();
    };
  }
  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    using _listener = onAbort(signal, () => {
      // If the slot was handed over already, resolve came first and this does nothing.
      if (this.#waiting.delete(resolve)) reject(signal?.reason);
    });
    await promise;
  }
  /** The slot goes to the next in line without being free in between: nobody can jump in. */
  #give(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** A layer that bounds concurrency. A list holds a slot for each step, not between two of them. */
export function limitLayer(options: LimitOptions): ObjectLayer {
  const slots = new Slots(options.concurrency);
  return objectLayer("limit", (inner) => limitStore(inner, slots));
}

/** The store of {@linkcode limitLayer} over slots that the caller can look at, or share. */
export function limitStore(inner: ObjectStore, slots: Slots): ObjectStore {
  async function during<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    const give = await slots.take(signal);
    try {
      return await call();
    } finally {
      give();
    }
  }
  return forwardStore(inner, {
    async get(key, options) {
      const give = await slots.take(options?.signal);
      try {
        const body = await inner.get(key, options);
        if (body) return watchBody(body, { end: give });
        give();
        return undefined;
      } catch (error) {
        give();
        throw error;
      }
    },
    put: (key, source, options) => during(options?.signal, () => inner.put(key, source, options)),
    stat: (keys, options) => during(options?.signal, () => inner.stat(keys, options)),
    delete: (keys, options) => during(options?.signal, () => inner.delete(keys, options)),
    async *list(options: ListOptions = {}): AsyncIterable<ObjectInfo> {
      const items = inner.list(options)[Symbol.asyncIterator]();
      try {
        while (true) {
          const { done, value } = await during(options.signal, () => items.next());
          if (done) return;
          yield value;
        }
      } finally {
        await items.return?.();
      }
    },
  });
}
