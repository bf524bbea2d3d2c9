/** Tries again what can help, a bounded number of times. */
import type { Clock } from "../core/clock.ts";
import { CacheError } from "../core/errors.ts";

/** Options of {@linkcode withRetry}. */
export interface RetryOptions {
  readonly clock: Clock;
  /** Tries in all. 1: no second one. */
  readonly attempts: number;
  readonly signal?: AbortSignal | undefined;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Runs `work` until it succeeds, fails for good, or the tries are used up; then the error says
 * `exhausted`, so that nobody above begins anew. A server's `Retry-After` (in the error's context
 * as `retry_after_ms`) lengthens the pause.
 */
export async function withRetry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await work();
    } catch (thrown) {
      if (!(thrown instanceof CacheError) || thrown.retry !== "temporary") throw thrown;
      if (options.attempts === 1) throw thrown;
      if (attempt >= options.attempts) throw exhausted(thrown);
      await options.clock.sleep(pauseOf(thrown, attempt), options.signal);
    }
  }
}

function pauseOf(error: CacheError, attempt: number): number {
  // Half of it at random: a thousand clients of a server that comes back do not come at once.
  const random = crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
  const pause = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + random / 2);
  const asked = error.context.retry_after_ms;
  return Math.min(LONGEST_PAUSE_MS, Math.max(pause, typeof asked === "number" ? asked : 0));
}

function exhausted(error: CacheError): CacheError {
  const { kind, message, context, cause } = error;
  return new CacheError(kind, message, {
    retry: "exhausted",
    context,
    cause,
    ...(error.operation === undefined ? {} : { operation: error.operation }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
