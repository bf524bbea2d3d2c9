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

/** Turns of the microtask queue in which what the runtime has already is certainly handed on. */
const TURNS_AT_ONCE = 8;
/** Why a sleep ends early; nobody sees it. Made once: an error each time costs its stack. */
const OVER = new CacheError("cancelled", "Cannot watch: the transfer is over");

/**
 * Counts only the time between `wait` and `resume`: a slow store is not the client's fault. Where
 * the other end never has to be waited for, as with small bodies, there is never a timer.
 */
export class IdleWatch implements Disposable {
  readonly #clock: Clock;
  readonly #options: IdleOptions;
  #sleep: AbortController | undefined;
  #since: number | undefined;
  #running = false;
  #over = false;

  constructor(clock: Clock, options: IdleOptions) {
    this.#clock = clock;
    this.#options = options;
  }
  /** From now on we wait for the other end. */
  wait(): void {
    this.#since = this.#clock.monotonic();
    if (this.#running || this.#over) return;
    this.#running = true;
    this.#watch().catch((thrown) => {
      if (!this.#over) this.#options.onError(toCacheError(thrown, "idle.watch"));
    });
  }
  /** The other end did something. */
  resume(): void {
    this.#since = undefined;
  }
  /** Ends the watch. Safe to call twice. */
  [Symbol.dispose](): void {
    this.#over = true;
    this.#sleep?.abort(OVER);
  }
  async #watch(): Promise<void> {
    const { limit, onIdle } = this.#options;
    for (let turn = 0; turn < TURNS_AT_ONCE; turn++) {
      await undefined;
      if (this.#over) return;
    }
    if (this.#since === undefined) {
      this.#running = false;
      return;
    }
    this.#sleep = new AbortController();
    let waited = this.#waited();
    while (waited < limit) {
      await this.#clock.sleep(limit - waited, this.#sleep.signal);
      waited = this.#waited();
    }
    this[Symbol.dispose]();
    onIdle();
  }
  #waited(): number {
    return this.#since === undefined ? 0 : this.#clock.monotonic() - this.#since;
  }
}
