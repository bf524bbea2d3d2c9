/** Work that must be over by a time of an injected clock. */
import { abortable } from "../core/abort.ts";
import type { SignalOptions } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { CacheError } from "../core/errors.ts";

/** How long to wait, and what it is to have waited too long. */
export interface WithinTimeOptions extends SignalOptions {
  readonly clock: Clock;
  readonly ms: number;
  readonly late: () => CacheError;
}

/**
 * Waits for `work`, or throws `late()` after `ms`, or the signal's reason. The work itself goes on:
 * whoever gets one of these ends it.
 */
export async function withinTime<T>(
  work: Promise<T>,
  { clock, ms, late, signal }: WithinTimeOptions,
): Promise<T> {
  const over = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  // The sleep is given up as soon as the work is over: that is no failure.
  clock.sleep(ms, over.signal).then(() => reject(late()), () => {});
  try {
    return await Promise.race([abortable(work, signal), promise]);
  } finally {
    over.abort();
  }
}
