/**
 * Lets a few blocks of long blobs be read in each turn of the event loop. Reading is done at once, on
 * the thread that serves: two hundred downloads that begin together, or go on together, would keep it
 * from everybody else for half a second.
 */
import { READS_PER_TURN } from "../../core/limits.ts";

interface Waiting {
  readonly reads: number;
  go(): void;
}

/** The turns of one thread. */
export class ReadTurns {
  readonly #waiting: Waiting[] = [];
  /** Reads of this turn. */
  #done = 0;
  /** Whether the end of this turn will be heard of. */
  #begun = false;

  /**
   * Waits for the turn in which as many blocks as `reads` may be read; `undefined` where that is now.
   * Whoever came first goes first.
   */
  take(reads = 1): Promise<void> | undefined {
    if (!this.#begun) {
      this.#begun = true;
      setImmediate(() => this.#next());
    }
    if (this.#waiting.length === 0 && this.#done < READS_PER_TURN) {
      this.#done += reads;
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ reads, go: resolve });
    return promise;
  }

  #next(): void {
    this.#done = 0;
    let count = 0;
    for (const { reads, go } of this.#waiting) {
      if (this.#done >= READS_PER_TURN) break;
      this.#done += reads;
      count++;
      go();
    }
    this.#waiting.splice(0, count);
    // A turn in which nothing was read was the last one: the next reader begins anew.
    this.#begun = count > 0;
    if (this.#begun) setImmediate(() => this.#next());
  }
}
