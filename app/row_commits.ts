/** When rows that were left open are committed: soon, or at once when somebody looks for them. */
import { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import { toCacheError } from "../core/errors.ts";
import type { CacheError } from "../core/errors.ts";
import { OPEN_ROWS_FREE_BYTES, OPEN_ROWS_MS } from "../core/limits.ts";
import { RowsBehindWriter } from "../core/rows_behind.ts";

/** Milliseconds between two looks at the room on the disk. */
const LOOK_MS = 1000;

/** A writer of tables. */
export interface RowWriter {
  /** Commits rows that are open. @throws {CacheError} when the tables do not take them now */
  commitRows(): void;
}

/** Options of {@linkcode RowCommits}. */
export interface RowCommitsOptions {
  readonly clock: Clock;
  /** Bytes that are free on the disk; `undefined` where nobody knows. */
  readonly free: () => number | undefined;
  /** Hears of commits that failed; each is tried again. */
  readonly report: (error: CacheError) => void;
}

/** Commits what the writers of a store leave open. Disposing it commits nothing: they do. */
export class RowCommits implements AsyncDisposable {
  /** How writers leave rows open. */
  readonly open: RowsBehindWriter;
  readonly #options: RowCommitsOptions;
  readonly #background: Background;
  readonly #stop = new AbortController();
  #writers: readonly RowWriter[] = [];
  #waiting = false;
  #failing = false;
  #looked = -Infinity;
  #roomy = false;

  constructor(options: RowCommitsOptions) {
    this.#options = options;
    this.#background = new Background(options.report);
    this.open = new RowsBehindWriter({
      now: () => options.clock.monotonic(),
      onOpened: () => this.#soon(),
      hasRoom: () => this.#hasRoom(),
    });
  }

  /** Names the writers, those first whose rows others speak of. */
  follow(writers: readonly RowWriter[]): void {
    this.#writers = writers;
  }

  /** Commits for somebody who looks for a row. Always true, also where nothing could be done. */
  now(): boolean {
    this.open.noteAsked();
    this.#commit();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#background[Symbol.asyncDispose]();
  }

  /**
   * A commit that fails on a full disk would hide what was acknowledged, until there is room
   * again: near to one, each round is committed before it is acknowledged.
   */
  #hasRoom(): boolean {
    const now = this.#options.clock.monotonic();
    if (now - this.#looked >= LOOK_MS) {
      this.#looked = now;
      try {
        this.#roomy = (this.#options.free() ?? Infinity) >= OPEN_ROWS_FREE_BYTES;
      } catch {
        this.#roomy = false; // whatever is wrong with the folder, the next commit will say
      }
    }
    return this.#roomy;
  }

  #soon(): void {
    if (this.#waiting || this.#stop.signal.aborted) return;
    this.#waiting = true;
    this.#background.run("rows.commit", this.#later());
  }

  async #later(): Promise<void> {
    try {
      await this.#options.clock.sleep(OPEN_ROWS_MS, this.#stop.signal);
    } catch {
      return; // closed, and writers commit what they have when they close
    } finally {
      this.#waiting = false;
    }
    this.#commit();
  }

  #commit(): void {
    let failure: CacheError | undefined;
    for (const writer of this.#writers) {
      try {
        writer.commitRows();
      } catch (thrown) {
        failure ??= toCacheError(thrown, "rows.commit");
      }
    }
    this.open.tried();
    // Told once, and tried until it works.
    if (failure && !this.#failing) this.#options.report(failure);
    this.#failing = failure !== undefined;
    if (failure) this.#soon();
  }
}
