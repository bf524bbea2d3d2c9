/** How often and how long: the waiting between the tries of retry. */
import type { Clock } from "../../core/clock.ts";
import { CacheError } from "../../core/errors.ts";
import { STORE_ATTEMPTS, STORE_RETRY_BASE_MS, STORE_RETRY_MAX_MS } from "../../core/limits.ts";

/** Options of {@linkcode retryLayer}. */
export interface RetryOptions {
  readonly clock: Clock;
  /** From 0 (inclusive) to 1 (exclusive), for the jitter. */
  readonly random: () => number;
  /** Tries in all, the first included. Default {@linkcode STORE_ATTEMPTS}. */
  readonly attempts?: number | undefined;
  /** Milliseconds before the second try. Default {@linkcode STORE_RETRY_BASE_MS}. */
  readonly baseMs?: number | undefined;
  /** Milliseconds of the longest wait. Default {@linkcode STORE_RETRY_MAX_MS}. */
  readonly maxMs?: number | undefined;
}

/** Counts the tries of one call that were in vain, and waits between them. */
export class Backoff {
  readonly #options: RetryOptions;
  #failures = 0;

  constructor(options: RetryOptions) {
    this.#options = options;
  }
  /** Something worked: the next failure is the first one again. */
  progress(): void {
    this.#failures = 0;
  }
  /**
   * Waits before the next try: exponential, with a jitter of half the time.
   * @throws what was thrown if it will not get better, `exhausted` after the last try, the signal's
   * reason
   */
  async next(thrown: unknown, signal: AbortSignal | undefined): Promise<void> {
    // An abort may have a temporary error as its reason; still nobody wants the answer any more.
    if (!(thrown instanceof CacheError) || thrown.retry !== "temporary" || signal?.aborted) {
      throw thrown;
    }
    this.#failures++;
    const { clock, random, attempts = STORE_ATTEMPTS } = this.#options;
    if (this.#failures >= attempts) throw exhausted(thrown, this.#failures);
    const { baseMs = STORE_RETRY_BASE_MS, maxMs = STORE_RETRY_MAX_MS } = this.#options;
    const longest = Math.min(maxMs, baseMs * 2 ** (this.#failures - 1));
    await clock.sleep(longest * (0.5 + random() / 2), signal);
  }
}

function exhausted(error: CacheError, tries: number): CacheError {
  return new CacheError(error.kind, `${error.message} (tried ${tries} times)`, {
    retry: "exhausted",
    context: error.context,
    cause: error,
    ...(error.operation === undefined ? {} : { operation: error.operation }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
