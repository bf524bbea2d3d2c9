/** Watches for the other end standing still, with one timer a transfer instead of one a chunk. */
import type { Clock } from "../core/clock.ts";
import { CacheError, toCacheError } from "../core/errors.ts";

/** What to watch, and what then. */
export interface IdleOptions {
  /** Milliseconds of waiting after which it is idle. */
  readonly limit: number;
  /** Called once; the watch is over then. */
  onIdle(): void;
  /** Hears of a failure of the clock or of `onIdle`. */
  onError(error: CacheError): void;
}

/** Counts only the time between `wait` and `resume`: a slow store is not the client's fault. */
export class IdleWatch implements Disposable {
  readonly #clock: Clock;
  readonly #options: IdleOptions;
  readonly #over = new AbortController();
  #since: number | undefined;
  #running = false;

  constructor(clock: Clock, options: IdleOptions) {
    this.#clock = clock;
    this.#options = options;
  }
  /** From now on we wait for the other end. */
  wait(): void {
    this.#since = this.#clock.monotonic();
    if (this.#running || this.#over.signal.aborted) return;
    this.#running = true;
    this.#watch().catch((thrown) => {
      if (!this.#over.signal.aborted) this.#options.onError(toCacheError(thrown, "idle.watch"));
    });
  }
  /** The other end did something. */
  resume(): void {
    this.#since = undefined;
  }
  /** Ends the watch. Safe to call twice. */
  [Symbol.dispose](): void {
    this.#over.abort(new CacheError("cancelled", "Cannot watch: the transfer is over"));
  }
  async #watch(): Promise<void> {
    const { limit, onIdle } = this.#options;
    let pause = limit;
    while (true) {
      await this.#clock.sleep(pause, this.#over.signal);
      const waited = this.#since === undefined ? 0 : this.#clock.monotonic() - this.#since;
      if (waited >= limit) break;
      pause = limit - waited;
    }
    this[Symbol.dispose]();
    onIdle();
  }
}
