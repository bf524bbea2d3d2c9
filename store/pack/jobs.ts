/** Work on whole segments, one piece after the other: seal, evict, compact, collect. */
import { CacheError } from "../../core/errors.ts";

/** A queue of jobs that never run at the same time. */
export class Jobs {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  /** Runs `job` when all before it are over; its outcome is the caller's. */
  run<T>(job: () => Promise<T> | T): Promise<T> {
    if (this.#closed) {
      return Promise.reject(
        new CacheError("unavailable", "Cannot work on segments: the store is closed", {
          operation: "pack.jobs",
        }),
      );
    }
    this.#waiting++;
    const result = this.#last.then(job).finally(() => this.#waiting--);
    // The queue goes on after a failed job; the failure itself is in `result`.
    this.#last = result.catch(() => {});
    return result;
  }
  /** How many jobs are running or waiting. */
  get size(): number {
    return this.#waiting;
  }
  /** Resolves when nothing is left to do. */
  async idle(): Promise<void> {
    while (this.#waiting > 0) await this.#last;
  }
  /** Takes no more jobs and waits for those it has. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.idle();
  }
}

/** Lets everything else that is ready have its turn. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
