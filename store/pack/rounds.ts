/** Group commit: everything that waits is made durable together. */
import type { DataRecord, LogPosition, LogRecord } from "../../core/record.ts";
import { packError } from "./errors.ts";
import { breathe } from "./jobs.ts";
import type { Pack } from "./pack.ts";
import { runRound } from "./round.ts";
import type { CommitRequest } from "./round.ts";
import type { LogRequest } from "./round_log.ts";

/** Microtasks in which whoever was acknowledged comes with what he has for the log. */
const LOG_TURNS = 32;
/** As many more for each that was: what is decided about them is decided one after the other. */
const LOG_TURNS_EACH = 4;

/**
 * Takes requests and works in rounds: one write and one `fdatasync` for each file, then one
 * transaction, then all are acknowledged. While the disk works, the next round gathers.
 */
export class Rounds {
  readonly #pack: Pack;
  #commits: CommitRequest[] = [];
  #logs: LogRequest[] = [];
  #running = false;
  #logHolds = 0;
  #current: Promise<void> = Promise.resolve();

  constructor(pack: Pack) {
    this.#pack = pack;
  }

  /** Resolves when the records of the upload, and these, are durable and have rows. */
  commit(upload: string | undefined, records: readonly DataRecord[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#commits.push({ upload, records, resolve, reject });
    this.#start();
    return promise;
  }

  /** Resolves with the position behind the records when they are durable. */
  log(records: readonly LogRecord[]): Promise<LogPosition> {
    const { promise, resolve, reject } = Promise.withResolvers<LogPosition>();
    this.#logs.push({ records, resolve, reject });
    this.#start();
    return promise;
  }

  /**
   * Keeps log requests waiting while `work` runs. It begins when the round under way is over: not
   * when none is left, since data never stops coming.
   */
  async withoutLog<T>(work: () => Promise<T>): Promise<T> {
    this.#logHolds++;
    try {
      await this.#current;
      // Whoever was just acknowledged first does what he does then.
      await breathe();
      return await work();
    } finally {
      this.#logHolds--;
      this.#start();
    }
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running) await new Promise((resolve) => setImmediate(resolve));
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    // Not a microtask: requests of other threads are messages, and those that arrived while the
    // last round kept this thread busy must be taken in first, or every round would hold one.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (true) {
      if (this.#commits.length === 0 && !this.#hasLogs()) break;
      await (this.#current = this.#round());
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#running = false;
    // What came between the last look and now has seen `#running` and did not start a round.
    if (this.#commits.length > 0 || this.#hasLogs()) this.#start();
  }

  #hasLogs(): boolean {
    return this.#logs.length > 0 && this.#logHolds === 0;
  }

  /**
   * The data of all who wait, then the log: what follows from this data in a few microtasks too.
   * Left to the next round, a put would wait for the disk four times instead of twice.
   */
  async #round(): Promise<void> {
    const commits = this.#commits;
    if (commits.length > 0) {
      this.#commits = [];
      await this.#work(commits, []);
      const turns = LOG_TURNS + LOG_TURNS_EACH * commits.length;
      for (let turn = 0; turn < turns && this.#logs.length === 0; turn++) await undefined;
    }
    if (!this.#hasLogs()) return;
    const logs = this.#logs;
    this.#logs = [];
    await this.#work([], logs);
  }

  async #work(commits: CommitRequest[], logs: LogRequest[]): Promise<void> {
    try {
      await runRound(this.#pack, commits, logs);
    } catch (thrown) {
      // Nothing in a round should get here; whoever waits must hear of it all the same.
      const error = packError(thrown, "commit", "records");
      for (const request of [...commits, ...logs]) request.reject(error);
    }
  }
}
