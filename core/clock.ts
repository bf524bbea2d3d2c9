/** Time as an argument: production passes the system's, tests move their own. */
import { onAbort } from "./abort.ts";

/** A source of time. */
export interface Clock {
  /** Milliseconds since 1970 by the wall clock; may jump. */
  now(): number;
  /** Milliseconds by a clock that never goes back; only differences mean anything. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The system's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      listener[Symbol.dispose]();
      resolve();
    }, ms);
    const listener = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal!.reason);
    });
    return promise;
  },
};

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #now: number;
  #monotonic = 0;
  readonly #sleepers = new Set<{ at: number; wake: () => void }>();

  constructor(now = 1_700_000_000_000) {
    this.#now = now;
  }
  now(): number {
    return this.#now;
  }
  monotonic(): number {
    return this.#monotonic;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal?.aborted) return Promise.reject(signal.reason);
    const listener = onAbort(signal, () => {
      this.#sleepers.delete(sleeper);
      reject(signal!.reason);
    });
    const sleeper = {
      at: this.#monotonic + ms,
      wake: () => {
        listener[Symbol.dispose]();
        resolve();
      },
    };
    this.#sleepers.add(sleeper);
    return promise;
  }
  /** How many calls of `sleep` wait. */
  get sleeping(): number {
    return this.#sleepers.size;
  }
  /** Moves both clocks and wakes, in order, everybody whose time has come. */
  advance(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
    const due = [...this.#sleepers].filter((sleeper) => sleeper.at <= this.#monotonic);
    due.sort((a, b) => a.at - b.at);
    for (const sleeper of due) {
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
  /** Makes the wall clock jump, as an administrator or NTP does; nobody wakes. */
  jump(ms: number): void {
    this.#now += ms;
  }
}
