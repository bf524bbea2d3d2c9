/** Timers that a test moves, for code that can not be given a clock. */

/** Stands in for `setTimeout` and `clearTimeout` until disposed. */
export class FakeTime implements Disposable {
  readonly #timers = new Map<number, { at: number; run: () => void }>();
  readonly #real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    unrefTimer: Deno.unrefTimer,
  };
  #now = 0;
  #last = 0;

  constructor() {
    const set = (run: () => void, ms = 0): number => {
      this.#timers.set(++this.#last, { at: this.#now + ms, run });
      return this.#last;
    };
    Object.assign(globalThis, {
      setTimeout: set,
      clearTimeout: (timer: number | undefined) => void this.#timers.delete(timer ?? 0),
    });
    Deno.unrefTimer = () => {};
  }
  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }
  /** Moves time and runs, in order, what is due. */
  tick(ms: number): void {
    this.#now += ms;
    const due = [...this.#timers].filter(([, { at }]) => at <= this.#now);
    due.sort(([, a], [, b]) => a.at - b.at);
    for (const [timer, { run }] of due) if (this.#timers.delete(timer)) run();
  }
  [Symbol.dispose](): void {
    const { unrefTimer, ...timers } = this.#real;
    Object.assign(globalThis, timers);
    Deno.unrefTimer = unrefTimer;
  }
}
