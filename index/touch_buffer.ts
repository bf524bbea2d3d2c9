/** Uses of entries, gathered and stored together: a hit must not wait for a disk. */
import type { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import { toHex } from "../core/digest.ts";
import type { EntryId } from "../core/entry.ts";

/** Milliseconds that a use may wait for its transaction. */
export const TOUCH_FLUSH_MS = 1000;

/** Entries with a use that waits; further ones are dropped, since a use is only a hint. */
export const MAX_WAITING_TOUCHES = 100_000;

/** What {@linkcode TouchBuffer} is made of. */
export interface TouchBufferOptions {
  readonly clock: Clock;
  readonly background: Background;
  /** Stores the uses in one transaction; called at most once every {@linkcode TOUCH_FLUSH_MS}. */
  readonly store: (uses: readonly { readonly id: EntryId; readonly at: number }[]) => void;
}

/** Holds the newest use of each entry until its timer, or a close, stores them. */
export class TouchBuffer {
  readonly #options: TouchBufferOptions;
  readonly #waiting = new Map<string, { readonly id: EntryId; readonly at: number }>();
  readonly #stop = new AbortController();
  #timer = false;
  #dropped = 0;

  constructor(options: TouchBufferOptions) {
    this.#options = options;
  }

  /** Notes a use of each; returns at once. After {@linkcode close} it does nothing. */
  add(ids: readonly EntryId[], at: number): void {
    if (this.#stop.signal.aborted) return;
    for (const id of ids) {
      const name = toHex(id);
      const known = this.#waiting.get(name);
      if (known && known.at >= at) continue;
      if (!known && this.#waiting.size >= MAX_WAITING_TOUCHES) this.#dropped++;
      else this.#waiting.set(name, { id, at });
    }
    if (!this.#timer && this.#waiting.size > 0) {
      this.#timer = true;
      this.#options.background.run("index.touch", this.#later());
    }
  }

  /** Stores what waits, now. */
  flush(): void {
    if (this.#waiting.size === 0) return;
    const uses = [...this.#waiting.values()];
    // Emptied first: if storing fails, the uses are lost and not tried for ever.
    this.#waiting.clear();
    this.#options.store(uses);
  }

  /** How many uses were dropped because too many waited. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Stores what waits and ends the timer. Safe to call twice. */
  close(): void {
    this.#stop.abort();
    this.flush();
  }

  async #later(): Promise<void> {
    try {
      await this.#options.clock.sleep(TOUCH_FLUSH_MS, this.#stop.signal);
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
      return; // close() stores the rest itself
    } finally {
      this.#timer = false;
    }
    this.flush();
  }
}
