/** The one tracked set of work that outlives the call that began it. */
import { toCacheError } from "./errors.ts";
import type { CacheError } from "./errors.ts";

/** Tracks promises that nobody awaits, so that a stop can wait for them and none fails unseen. */
export class Background implements AsyncDisposable {
  readonly #running = new Set<Promise<void>>();
  readonly #report: (error: CacheError) => void;

  /** `report` hears of every failure. */
  constructor(report: (error: CacheError) => void) {
    this.#report = report;
  }
  /** Lets `work` go on by itself. `what` names it in a report. */
  run(what: string, work: Promise<unknown>): void {
    const tracked: Promise<void> = work.then(() => {}, (thrown) => {
      this.#report(toCacheError(thrown, what));
    }).finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }
  /** How many are running. */
  get size(): number {
    return this.#running.size;
  }
  /** Waits for all of them, and for those that they begin. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
