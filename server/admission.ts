/** Bounds the bytes of bodies that all threads together hold, of requests and of answers. */
import type { Clock } from "../core/clock.ts";
import type { Counters, HeldName } from "../core/counters.ts";
import { CacheError } from "../core/errors.ts";
import { ADMISSION_WAIT_MS, MAX_ANSWER_BYTES, MAX_BYTES_IN_FLIGHT } from "../core/limits.ts";

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
  for (;;) {
    const room = admitAtOnce(bytes, counters);
    if (room) return room;
    if (clock.monotonic() >= deadline) {
      throw new CacheError("unavailable", "Cannot take the body: too many uploads at a time", {
        operation: "admission.wait",
        context: { bytes, limit: MAX_BYTES_IN_FLIGHT },
      });
    }
    await clock.sleep(LOOK_AGAIN_MS, signal);
  }
}

/** As {@linkcode admitBytes} where nobody has to wait; `undefined` where there is no room now. */
export function admitAtOnce(bytes: number, counters: Counters): Disposable | undefined {
  return hold({ counters, name: "bytes_in_flight", limit: MAX_BYTES_IN_FLIGHT }, bytes);
}

/**
 * Notes `bytes` of an answer that a client is to read; `undefined` when there are too many already.
 * Nobody waits for them: what is sent is in memory before it is known how much it is.
 */
export function holdAnswer(counters: Counters, bytes: number): Disposable | undefined {
  return hold({ counters, name: "answer_bytes", limit: MAX_ANSWER_BYTES }, bytes);
}

/** The refusal where {@linkcode holdAnswer} finds no room. */
export function tooManyAnswers(): CacheError {
  return new CacheError("unavailable", "Cannot send the body: too many downloads at a time", {
    operation: "admission.answer",
    context: { limit: MAX_ANSWER_BYTES },
  });
}

interface Bound {
  readonly counters: Counters;
  readonly name: HeldName;
  readonly limit: number;
}

function hold({ counters, name, limit }: Bound, bytes: number): Disposable | undefined {
  if (counters.hold(name, bytes) > limit) {
    counters.hold(name, -bytes);
    return undefined;
  }
  let held = true;
  return {
    [Symbol.dispose]() {
      if (held) counters.hold(name, -bytes);
      held = false;
    },
  };
}
