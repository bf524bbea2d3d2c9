/** The usage file of a store, opened when somebody first counts or asks. */
import { toCacheError } from "../../core/errors.ts";
import type { UsageQuery, UsageRow } from "../../core/insight.ts";
import { openUsage } from "./store.ts";
import type { UsageOptions, UsageStore } from "./store.ts";
import type { UsageDelta } from "./tally.ts";

/** Usage of one store: most commands on a folder never ask for it. */
export class LazyUsage implements Disposable {
  readonly #options: UsageOptions;
  #store: UsageStore | undefined;
  #closed = false;
  #told = false;

  constructor(options: UsageOptions) {
    this.#options = options;
  }
  /**
   * Adds up what a thread counted; nothing after the end. While the file can not be opened nothing is
   * counted, which is reported once: no server may end for its statistics.
   */
  add(deltas: readonly UsageDelta[]): void {
    if (this.#closed || deltas.length === 0) return;
    try {
      this.#open().add(deltas);
      this.#told = false;
    } catch (thrown) {
      if (!this.#told) this.#options.report(toCacheError(thrown, "usage.add"));
      this.#told = true;
    }
  }
  /** Groups and their counts, in order. @throws {CacheError} when the file can not be opened */
  query(query: UsageQuery): UsageRow[] {
    return this.#open().query(query);
  }
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#store?.[Symbol.dispose]();
  }
  #open(): UsageStore {
    return this.#store ??= openUsage(this.#options);
  }
}
