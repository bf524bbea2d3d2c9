/** Keeps away from a cache that is down, so that an outage costs a build one wait and not thousands. */
import type { Clock } from "../core/clock.ts";
import { CacheError } from "../core/errors.ts";

/** Milliseconds that a cache is left alone after it did not answer. */
const REST_MS = 10_000;

const OUTAGE: ReadonlySet<string> = new Set(["unavailable", "timeout", "rate_limited"]);

/** The state of one cache: answering, or left alone until one caller has tried again. */
export class OutageBreaker {
  #restUntil: number | undefined;

  /** Whether to ask the cache now. After the rest, one caller is sent ahead; he must report. */
  allows(clock: Clock): boolean {
    if (this.#restUntil === undefined) return true;
    const now = clock.monotonic();
    if (now < this.#restUntil) return false;
    this.#restUntil = now + REST_MS;
    return true;
  }
  /** It answered. */
  succeeded(): void {
    this.#restUntil = undefined;
  }
  /** It did not do what was asked. Only an outage makes it rest: a refusal is an answer too. */
  failed(error: CacheError, clock: Clock): void {
    this.#restUntil = OUTAGE.has(error.kind) ? clock.monotonic() + REST_MS : undefined;
  }
}

/**
 * Runs `work` with a signal that aborts after `ms`.
 * @throws {CacheError} `timeout` when it did
 */
export async function withDeadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { clock, ms, what }: { readonly clock: Clock; readonly ms: number; readonly what: string },
): Promise<T> {
  const late = new AbortController();
  const done = new AbortController();
  const timer = clock.sleep(ms, done.signal).then(() => {
    const text = `Cannot ${what}: no answer within ${ms} ms`;
    late.abort(new CacheError("timeout", text, { operation: "client.deadline" }));
  }, () => {
    // The work was done first.
  });
  try {
    return await work(late.signal);
  } finally {
    done.abort();
    await timer;
  }
}
