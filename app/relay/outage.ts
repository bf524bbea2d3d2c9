/** Knows whether the cache is left alone, and finds out by itself when it is back. */
import type { Clock } from "../../core/clock.ts";
import { CacheError } from "../../core/errors.ts";
import { RELAY_LONGEST_REST_MS, RELAY_REST_MS } from "../../core/build_limits.ts";

/** What an {@linkcode Outage} is made of. */
export interface OutageOptions {
  readonly clock: Clock;
  /** Whether the server answers now; must end within a bounded time and not reject. */
  probe(signal: AbortSignal): Promise<boolean>;
}

/**
 * The state of the one server of a relay. Other than `OutageBreaker` it sends no request of a build
 * ahead to see whether the server is back: that request would pay for the look.
 */
export class Outage implements AsyncDisposable {
  readonly #options: OutageOptions;
  readonly #stop = new AbortController();
  #given = new AbortController();
  #away: Promise<void> | undefined;
  #count = 0;

  /** The server is well. */
  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** Whether to leave it alone. */
  get away(): boolean {
    return this.#away !== undefined;
  }
  /** Outages so far. */
  get count(): number {
    return this.#count;
  }
  /** Aborts when the server is given up: who waits for it now need not find that out himself. */
  get signal(): AbortSignal {
    return this.#given.signal;
  }
  /** It hangs or can not be reached. Failures of what was asked at the same time are one outage. */
  began(error: CacheError): void {
    if (this.away || this.#stop.signal.aborted) return;
    this.#count++;
    this.#away = this.#watch();
    this.#given.abort(error);
  }
  /** Ends the looking. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new CacheError("cancelled", "Cannot look after the cache: the relay ends"));
    await this.#away;
  }

  async #watch(): Promise<void> {
    const { clock, probe } = this.#options;
    const { signal } = this.#stop;
    const restMs = Math.min(RELAY_REST_MS * 2 ** (this.#count - 1), RELAY_LONGEST_REST_MS);
    try {
      do await clock.sleep(restMs, signal); while (!await probe(signal));
    } catch (thrown) {
      if (signal.aborted) return;
      throw thrown;
    }
    this.#given = new AbortController();
    this.#away = undefined;
  }
}
