/** One after another, in the order of the calls. */
import { abortable } from "../core/abort.ts";

/** A line of work of which one piece runs at a time. */
export class InLine {
  #last: Promise<unknown> = Promise.resolve();
  #length = 0;

  /** Pieces that wait or run. */
  get length(): number {
    return this.#length;
  }

  /**
   * Runs `work` when all before it is over, well or not. Aborted while it waits it never begins, and
   * what comes behind it still waits for what was before.
   */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last;
    const result = this.#after(before, work, signal);
    this.#length++;
    this.#last = Promise.allSettled([before, result]).then(() => this.#length--);
    return result;
  }

  async #after<T>(before: Promise<unknown>, work: () => Promise<T>, signal?: AbortSignal) {
    await abortable(before, signal);
    return await work();
  }
}
