/**
 * Rows that are acknowledged while their transaction is still open: log and segments have them on
 * the disk, and connections other than the writer's do not see them yet. What all threads share is
 * how many times rows were left open, and up to which of those they were committed.
 */

import { CacheError } from "./errors.ts";

/** Whose rows. */
export type Tables = "packs" | "index";

/** Changes with each attempt to commit. */
const TURN = 0;
/** For each of the tables: rounds that were left open, and those of them that were committed. */
const OPENED: Readonly<Record<Tables, number>> = { packs: 1, index: 3 };
const WORDS = 8;
/** Milliseconds that a look-up waits for a commit; then it is as if there had been none. */
const LONGEST_WAIT_MS = 5000;
/** Milliseconds after a look-up had to wait, in which no further rows are left open. */
const CALM_MS = 1000;

/** How the writer of some tables leaves rows open. */
export interface OpenRows {
  /** Whether a round that only adds rows may leave its transaction open. */
  mayWait(): boolean;
  /** Rows were left open. To be called before they are acknowledged. */
  opened(): void;
  /** No rows are open any more: all of them were committed. */
  committed(): void;
}

/** As the one writer has it. */
export class RowsBehindWriter {
  /** For {@linkcode RowsBehind} of any thread. */
  readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(WORDS * 4);
  readonly #words = new Int32Array(this.buffer);
  readonly #now: () => number;
  readonly #onOpened: () => void;
  readonly #hasRoom: () => boolean;
  #asked = -Infinity;

  /**
   * `now` in milliseconds, of which only differences count; `onOpened` sees to a commit soon;
   * `hasRoom` says whether the disk will certainly take it (default: always).
   */
  constructor(options: { now: () => number; onOpened: () => void; hasRoom?: () => boolean }) {
    this.#now = options.now;
    this.#onOpened = options.onOpened;
    this.#hasRoom = options.hasRoom ?? (() => true);
  }

  /** The part of one writer. */
  of(tables: Tables): OpenRows {
    const at = OPENED[tables];
    return {
      mayWait: () => this.#now() - this.#asked >= CALM_MS && this.#hasRoom(),
      opened: () => {
        Atomics.add(this.#words, at, 1);
        this.#onOpened();
      },
      committed: () => void Atomics.store(this.#words, at + 1, this.#words[at]!),
    };
  }

  /** A look-up waits for open rows: for a while there should be none. */
  noteAsked(): void {
    this.#asked = this.#now();
  }

  /** An attempt to commit is over: wakes those who wait for it. */
  tried(): void {
    Atomics.add(this.#words, TURN, 1);
    Atomics.notify(this.#words, TURN);
  }
}

/**
 * As a connection has it that is not the writer's. Rows are only left open where nothing stood
 * before, so that an answer that was found is always right, and only a miss is asked about again.
 */
export class RowsBehind {
  readonly #words: Int32Array;
  readonly #ask: () => boolean;

  /**
   * `ask` has the writer commit: on its own thread before it returns, from another one soon, which
   * is waited for. It tells whether there is still a writer.
   */
  constructor(buffer: SharedArrayBuffer, ask: () => boolean) {
    this.#words = new Int32Array(buffer);
    this.#ask = ask;
  }

  /**
   * Looks, and looks again if nothing was found while rows were open.
   * @throws {CacheError} `unavailable` when they could not be committed now: nobody can tell whether
   * what was not found is among them
   */
  look<T>(tables: Tables, question: () => T, isMiss: (answer: T) => boolean): T {
    const committed = Atomics.load(this.#words, OPENED[tables] + 1);
    const answer = question();
    if (!isMiss(answer)) return answer;
    // What was opened before now and committed before the look was seen by it.
    if (Atomics.load(this.#words, OPENED[tables]) === committed) return answer;
    const isIn = this.bringIn(tables);
    const again = question();
    if (isIn || !isMiss(again)) return again;
    throw new CacheError("unavailable", "Cannot look up a record: the disk takes no rows now", {
      operation: "rows.look",
      retry: "temporary",
    });
  }

  /** Has all rows committed that were acknowledged before this call; tells whether they are. */
  bringIn(tables: Tables): boolean {
    const words = this.#words;
    const at = OPENED[tables];
    const wanted = Atomics.load(words, at);
    const isIn = () => ((Atomics.load(words, at + 1) - wanted) | 0) >= 0;
    if (isIn()) return true;
    const turn = Atomics.load(words, TURN);
    // Without a writer nothing is acknowledged any more, and what stands there is all there is.
    if (!this.#ask()) return true;
    while (!isIn() && Atomics.load(words, TURN) === turn) {
      if (Atomics.wait(words, TURN, turn, LONGEST_WAIT_MS) === "timed-out") return false;
    }
    return isIn();
  }
}
