/** Batches go to the log in rounds, then to the tables; one round at a time. */
import { nextHlc } from "../../codec/hlc.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import type { Background } from "../../core/background.ts";
import type { Clock } from "../../core/clock.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import type { KeyFilter } from "../../core/key_filter.ts";
import type { LogPort, LogPosition, LogRecord } from "../../core/record.ts";
import type { IndexBatch, IndexCommit, KeepBatch } from "../contract.ts";
import { sealReplacement } from "../replacement.ts";
import { readyRow, rowsOfLog } from "../audit/from_log.ts";
import type { AuditTrail, ReadyRow } from "../audit/trail.ts";
import type { Changes, Transaction } from "./changes.ts";
import { translated } from "./errors.ts";
import { replay } from "./replay.ts";
import { Round } from "./round.ts";
import type { Decided, RoundSources } from "./round.ts";

/** Records after which further batches wait for the next round. */
const ROUND_RECORDS = 10_000;

/** What {@linkcode Rounds} is made of. */
export interface RoundsOptions
  extends Pick<RoundSources, "context" | "present" | "version" | "visibleSizes"> {
  readonly context: RecordContext;
  readonly log: LogPort;
  readonly changes: Changes;
  readonly trail: AuditTrail | undefined;
  /** Learns of every id before anybody hears that it is stored. */
  readonly filter: KeyFilter;
  readonly clock: Clock;
  readonly device: string;
  readonly background: Background;
  readonly report: (error: CacheError) => void;
}

interface Waiting {
  readonly batch: IndexBatch & KeepBatch;
  readonly done: PromiseWithResolvers<IndexCommit>;
}

interface Accepted {
  readonly waiting: Waiting;
  readonly decided: Decided;
}

/** Gathers batches while one round is on its way, and has the log to itself. */
export class Rounds {
  readonly #options: RoundsOptions;
  /** The newest time given to a change; ahead of the tables' after a failed append. */
  #hlc = 0n;
  #queue: Waiting[] = [];
  /** The tail of what has the log to itself: rounds and compactions, one after the other. */
  #exclusive: Promise<unknown> = Promise.resolve();
  #running = false;
  #behind = false;
  #mending: Promise<void> | undefined;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** Whether the log may hold more than the tables, because an append or a transaction failed. */
  get behind(): boolean {
    return this.#behind;
  }

  /** Resolves when all that was begun is over. */
  async idle(): Promise<void> {
    await this.#exclusive;
  }

  /** Does a batch in the next round, see {@linkcode IndexBatch}. */
  commit(batch: IndexBatch & KeepBatch): Promise<IndexCommit> {
    const done = Promise.withResolvers<IndexCommit>();
    this.#queue.push({ batch, done });
    if (!this.#running) {
      this.#running = true;
      this.#options.background.run("index.commit", this.#afterOthers(() => this.#runRounds()));
    }
    return done.promise;
  }

  /**
   * Commits rows that are open. When it throws, the tables have lost them: the next round, or the
   * next call of this, takes them from the log again.
   */
  commitRows(): void {
    if (this.#behind && !this.#running) {
      // Nobody writes, who would have them brought up.
      this.#mending ??= this.#afterOthers(() => this.#catchUp())
        .catch(() => {}) // tried again by the next call
        .finally(() => this.#mending = undefined);
      throw new CacheError("unavailable", "Cannot commit rows: the log is read for them first", {
        operation: "index.commit",
        retry: "temporary",
      });
    }
    this.#commitRows();
  }

  #commitRows(): void {
    try {
      this.#options.changes.commit();
    } catch (error) {
      this.#behind = true;
      throw error;
    }
  }

  /** Runs `work` between two rounds, with the tables at the end of the log and no rows open. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#afterOthers(async () => {
      this.#commitRows();
      await this.#catchUp();
      return await work();
    });
  }

  #afterOthers<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#exclusive.then(work);
    this.#exclusive = result.catch(() => {}); // whoever has the result hears of it
    return result;
  }

  async #runRounds(): Promise<void> {
    // One turn for those who commit in the same one: they share the first round.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#round();
    this.#running = false;
  }

  /** One append and one transaction for all that waits; each batch has its own outcome. */
  async #round(): Promise<void> {
    const accepted: Accepted[] = [];
    try {
      await this.#catchUp();
      const round = this.#newRound();
      let records = 0;
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        try {
          const decided = await round.decide(next.batch);
          accepted.push({ waiting: next, decided });
          records += decided.records.length;
        } catch (error) {
          next.done.reject(error); // this batch alone; the round goes on
        }
        if (records >= ROUND_RECORDS) break;
      }
      // Kept even if the append fails: some of it may be in the log, and no stamp is given twice.
      this.#hlc = round.hlc;
      if (records > 0) await this.#store(accepted.map(({ decided }) => decided));
      for (const { waiting, decided } of accepted) waiting.done.resolve(decided.outcome);
    } catch (error) {
      if (accepted.length === 0) {
        // Catching up failed: those who wait must hear of it, or they would wait for ever.
        for (const { done } of this.#queue.splice(0)) done.reject(error);
      }
      for (const { waiting } of accepted) waiting.done.reject(error);
    }
  }

  #newRound(): Round {
    const { changes, clock, device, trail, ...sources } = this.#options;
    const { sequence } = changes.state;
    const newest = [this.#hlc, changes.state.hlc, trail?.last.hlc ?? 0n];
    return new Round({
      ...sources,
      nextVersion: (namespace, last) => ({
        epoch: translated("index.commit", () => changes.epochOf(namespace)),
        hlc: nextHlc(last, clock.now()),
        device,
      }),
      sequence,
      // The audit's too: a log that was compacted may have forgotten the newest deletion.
      hlc: newest.reduce((a, b) => a > b ? a : b),
      now: () => clock.now(),
      audited: trail !== undefined,
    });
  }

  async #store(decided: readonly Decided[]): Promise<void> {
    const records = decided.flatMap(({ records }) => records);
    // Until the transaction is through, the log may hold what the tables do not: a failed append
    // may have left something, and what stands there counts at the next start.
    this.#behind = true;
    this.#letIn(decided);
    const { trail, changes: { state } } = this.#options;
    const position = await this.#options.log.append(records);
    trail?.append(this.#rows(decided, state.position));
    const adds = decided.every(({ changes }) =>
      changes.every(({ change }) => "fresh" in change && change.fresh)
    );
    this.#options.changes.transaction((transaction) => {
      this.#count(records, { transaction, position });
      for (const { changes } of decided) this.#apply(changes, transaction);
    }, { adds });
    this.#behind = false;
  }

  /** Before the log has them: what stands there may be applied later, and counts then. */
  #letIn(decided: readonly Decided[]): void {
    for (const { changes } of decided) {
      for (const step of changes) {
        if (step.type === "version") this.#options.filter.add(step.change.record.id);
      }
    }
  }

  /** Rows of the audit; all of them name where the round began. */
  #rows(decided: readonly Decided[], position: LogPosition): ReadyRow[] {
    const { context } = this.#options;
    return decided.flatMap(({ changes }) =>
      changes.flatMap((step) => {
        if (step.type !== "version") return [];
        const { change: { record, key, stamp }, note, facts } = step;
        return [readyRow({ note, key, facts }, { hlc: stamp.hlc, position, record, context })];
      })
    );
  }

  #count(
    records: readonly LogRecord[],
    { transaction, position }: { transaction: Transaction; position: LogPosition },
  ): void {
    transaction.state.position = position;
    for (const { body } of records) {
      transaction.state.logBytes += RECORD_HEADER_BYTES + body.length;
    }
  }

  #apply(changes: Decided["changes"], transaction: Transaction): void {
    for (const step of changes) {
      if (step.type === "visible") {
        transaction.putVisibility(step.change);
        continue;
      }
      if (step.type === "keep") {
        transaction.keep(step.change);
        continue;
      }
      const { record, sequence } = step.change;
      transaction.putVersion(step.change);
      if (!step.replacement) continue;
      const sealed = sealReplacement(step.replacement, this.#options.context.seal, record.id);
      transaction.noteReplacement(record.id, sequence, sealed);
    }
  }

  async #catchUp(): Promise<void> {
    const { trail, log, report } = this.#options;
    const missed = this.#behind || trail?.behind;
    if (this.#behind) await replay(this.#options);
    this.#behind = false;
    if (!trail || !missed) return;
    try {
      await trail.catchUp(log, (from, after) => rowsOfLog(from, after, this.#options));
    } catch (error) {
      // What is missing stands in the log and is tried again: no write fails for it.
      report(toCacheError(error, "audit.catch_up"));
    }
  }
}
