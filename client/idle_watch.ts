/** Idle, not total, time-outs: a slow transfer is fine as long as it moves. */
import { CacheError } from "../core/errors.ts";
import type { Clock } from "../core/clock.ts";

/** What a watch is made of. */
export interface IdleWatchOptions {
  readonly clock: Clock;
  /** Milliseconds without a sign of life. */
  readonly idleMs: number;
  /** Called once, with a `timeout`, when there was none. */
  onIdle(error: CacheError): void;
}

/** Watches one transfer. One timer an interval, however many bytes pass. */
export class IdleWatch implements Disposable {
  readonly #options: IdleWatchOptions;
  readonly #stop = new AbortController();
  #last: number;
  #resting = false;

  /** Begins to watch at once. */
  constructor(options: IdleWatchOptions) {
    this.#options = options;
    this.#last = options.clock.monotonic();
    void this.#run();
  }
  /** A sign of life. */
  touch(): void {
    this.#last = this.#options.clock.monotonic();
  }
  /** Nobody waits for the other side: time does not count. */
  rest(): void {
    this.#resting = true;
  }
  /** Somebody waits again. */
  wake(): void {
    this.#resting = false;
    this.touch();
  }
  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { clock, idleMs, onIdle } = this.#options;
    const { signal } = this.#stop;
    let left = idleMs;
    while (!signal.aborted) {
      try {
        await clock.sleep(left, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        throw thrown;
      }
      left = this.#resting ? idleMs : this.#last + idleMs - clock.monotonic();
      if (left > 0) continue;
      const text = `Cannot wait any longer: nothing moved for ${idleMs} ms`;
      return onIdle(new CacheError("timeout", text, { operation: "client.wait" }));
    }
  }
}
