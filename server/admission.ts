/** Bounds the bytes of request bodies that all threads together hold. */
import type { Clock } from "../core/clock.ts";
import type { Counters } from "../core/counters.ts";
import { CacheError } from "../core/errors.ts";
import { ADMISSION_WAIT_MS, MAX_BYTES_IN_FLIGHT } from "../core/limits.ts";

// Threads share numbers, not messages: whoever waits looks again.
const LOOK_AGAIN_MS = 10;

/** {@linkcode admitBytes}'s options. */
export interface AdmissionOptions {
  readonly counters: Counters;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until `bytes` more may be in flight; disposing of the result gives them back.
 * @throws {CacheError} `unavailable` when there is no room for `ADMISSION_WAIT_MS`
 */
export async function admitBytes(bytes: number, options: AdmissionOptions): Promise<Disposable> {
  const { counters, clock, signal } = options;
  const deadline = clock.monotonic() + ADMISSION_WAIT_MS;
  while (!tryAdmit(counters, bytes)) {
    if (clock.monotonic() >= deadline) {
      throw new CacheError("unavailable", "Cannot take the body: too many uploads at a time", {
        operation: "admission.wait",
        context: { bytes, limit: MAX_BYTES_IN_FLIGHT },
      });
    }
    await clock.sleep(LOOK_AGAIN_MS, signal);
  }
  let held = true;
  return {
    [Symbol.dispose]() {
      if (held) counters.add("bytes_in_flight", -bytes);
      held = false;
    },
  };
}

function tryAdmit(counters: Counters, bytes: number): boolean {
  if (counters.add("bytes_in_flight", bytes) <= MAX_BYTES_IN_FLIGHT) return true;
  counters.add("bytes_in_flight", -bytes);
  return false;
}
