/** The one index that writes: batches go to the log in rounds, then to the tables. */
import type { DatabaseSync } from "node:sqlite";
import { nextHlc } from "../../codec/hlc.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import { throwIfAborted } from "../../core/abort.ts";
import { Background } from "../../core/background.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Entry, EntryDraft, EntryId, EntryKey } from "../../core/entry.ts";
import { toCacheError } from "../../core/errors.ts";
import type { CacheError } from "../../core/errors.ts";
import type {
  PutOutcome,
  RangeSummary,
  ScanItem,
  ScanOptions,
  Visibility,
} from "../../core/metadata_index.ts";
import type {
  IndexBatch,
  IndexCommit,
  IndexTotals,
  IndexWriter,
  IndexWriterOptions,
  Replacement,
} from "../contract.ts";
import { openReplacement, sealReplacement } from "../replacement.ts";
import { TouchBuffer } from "../touch_buffer.ts";
import type { Changes } from "./changes.ts";
import { compactLog, isCompactionDue } from "./compaction.ts";
import { sqliteError, translated } from "./errors.ts";
import { metaOf, setTrust } from "./open_file.ts";
import type { Queries } from "./queries.ts";
import { closedError, Reading } from "./reading.ts";
import { replay } from "./replay.ts";
import { Round } from "./round.ts";
import type { Decided } from "./round.ts";

/** Records after which further batches wait for the next round. */
const ROUND_RECORDS = 10_000;

/** The parts of a writer, opened and at the end of the log. */
export interface WriterParts {
  readonly db: DatabaseSync;
  readonly queries: Queries;
  readonly changes: Changes;
}

interface Waiting {
  readonly batch: IndexBatch;
  readonly done: PromiseWithResolvers<IndexCommit>;
}

interface Accepted {
  readonly waiting: Waiting;
  readonly decided: Decided;
}

/** An {@linkcode IndexWriter} over SQLite; made by `openIndexWriter`. */
export class SqliteWriter implements IndexWriter {
  readonly #options: IndexWriterOptions;
  readonly #context: RecordContext;
  readonly #db: DatabaseSync;
  readonly #queries: Queries;
  readonly #changes: Changes;
  readonly #reading: Reading;
  readonly #background: Background;
  readonly #touches: TouchBuffer;
  readonly #indexId: string;
  /** The newest time given to a change; ahead of the tables' after a failed append. */
  #hlc = 0n;
  #queue: Waiting[] = [];
  /** The tail of what has the log to itself: rounds and compactions, one after the other. */
  #exclusive: Promise<unknown> = Promise.resolve();
  #rounds = false;
  /** The log holds more than the tables: a transaction failed after its append. */
  #behind = false;
  #damaged = false;
  #closing: Promise<void> | undefined;

  constructor(parts: WriterParts, options: IndexWriterOptions) {
    this.#options = options;
    this.#context = { keys: options.keys, seal: options.seal };
    this.#db = parts.db;
    this.#queries = parts.queries;
    this.#changes = parts.changes;
    this.#indexId = String(metaOf(parts.db, "index_id"));
    this.#reading = new Reading({
      queries: parts.queries,
      context: this.#context,
      present: options.present,
      damaged: (error) => this.#noteDamage(error),
    });
    this.#background = new Background(options.report);
    this.#touches = new TouchBuffer({
      clock: options.clock,
      background: this.#background,
      store: (uses) =>
        this.#changes.transaction((transaction) => {
          for (const { id, at } of uses) transaction.noteUse(id, at);
        }),
    });
  }

  get visibility(): Visibility {
    return this.#reading.visibility;
  }
  get(key: EntryKey, options?: SignalOptions): Promise<Entry | undefined> {
    return this.#reading.get(key, options);
  }
  scan(options?: ScanOptions): AsyncIterable<ScanItem> {
    return this.#reading.scan(options);
  }
  async summarize(namespace: string, scope: string, prefix: string): Promise<RangeSummary> {
    return this.#reading.summarize(namespace, scope, prefix);
  }
  totals(): IndexTotals {
    return this.#reading.totals();
  }
  indexId(): string {
    return this.#indexId;
  }
  namespaces(): string[] {
    return this.#changes.namespaces().map(({ name }) => name);
  }

  async put(draft: EntryDraft, options: SignalOptions = {}): Promise<PutOutcome> {
    throwIfAborted(options.signal);
    const { puts } = await this.commit({ entries: [draft] });
    return puts[0]!; // one for each entry
  }

  async delete(keys: readonly EntryKey[], options: SignalOptions = {}): Promise<number> {
    throwIfAborted(options.signal);
    return (await this.commit({ remove: keys })).removed;
  }

  touch(keys: readonly EntryKey[], at: number): void {
    const ids = keys.map((key) => this.#reading.idOf(key)).filter((id) => id !== undefined);
    this.#touches.add(ids, at);
  }

  touchIds(ids: readonly EntryId[], at: number): void {
    this.#touches.add(ids, at);
  }

  async replacements(key: EntryKey): Promise<Replacement[]> {
    const id = this.#reading.idOf(key);
    if (this.#closing) throw closedError("index.replacements");
    if (!id) return [];
    const { seal } = this.#options;
    return translated("index.replacements", () => this.#changes.replacementsOf(id))
      .map((sealed) => openReplacement(sealed, seal, id));
  }

  commit(batch: IndexBatch): Promise<IndexCommit> {
    if (this.#closing) return Promise.reject(closedError("index.commit"));
    const done = Promise.withResolvers<IndexCommit>();
    this.#queue.push({ batch, done });
    if (!this.#rounds) {
      this.#rounds = true;
      this.#background.run("index.commit", this.#alone(() => this.#runRounds()));
    }
    return done.promise;
  }

  compact(options: { readonly force?: boolean | undefined } = {}): Promise<boolean> {
    if (this.#closing) return Promise.reject(closedError("index.compact"));
    return this.#alone(async () => {
      await this.#catchUp();
      if (!options.force && !isCompactionDue(this.#changes)) return false;
      await compactLog({
        db: this.#db,
        log: this.#options.log,
        changes: this.#changes,
        queries: this.#queries,
        context: this.#context,
        now: this.#options.clock.now(),
      });
      return true;
    });
  }

  /** Waits for what was committed, stores uses, and marks the file as closed well. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#exclusive;
    try {
      this.#touches.close();
    } catch (error) {
      this.#options.report(toCacheError(error, "index.close")); // uses are only hints
    }
    try {
      if (!this.#behind && !this.#damaged) {
        translated("index.close", () => setTrust(this.#db, "clean"));
      }
    } finally {
      this.#reading.close();
      this.#db.close();
      await this.#background[Symbol.asyncDispose]();
    }
  }

  /** Runs `work` when everything before it is over; its failure stops nobody behind. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#exclusive.then(work);
    this.#exclusive = result.catch(() => {}); // whoever has the result hears of it
    return result;
  }

  async #runRounds(): Promise<void> {
    // One turn for those who commit in the same one: they share the first round.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#round();
    this.#rounds = false;
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
    const options = this.#options;
    const { sequence, hlc } = this.#changes.state;
    return new Round({
      context: this.#context,
      present: options.present,
      version: (id) => this.#reading.version(id),
      visibleSizes: (namespace, digests) => this.#reading.visibility.find(namespace, digests),
      nextVersion: (namespace, last) => ({
        epoch: translated("index.commit", () => this.#changes.epochOf(namespace)),
        hlc: nextHlc(last, options.clock.now()),
        device: options.device,
      }),
      sequence,
      hlc: this.#hlc > hlc ? this.#hlc : hlc,
    });
  }

  async #store(decided: readonly Decided[]): Promise<void> {
    const records = decided.flatMap(({ records }) => records);
    const position = await this.#options.log.append(records);
    try {
      this.#changes.transaction((transaction) => {
        for (const record of records) {
          transaction.state.logBytes += RECORD_HEADER_BYTES + record.body.length;
        }
        for (const { changes } of decided) this.#apply(changes, transaction);
        transaction.state.position = position;
      });
    } catch (error) {
      // The records are in the log and come into the tables before the next decision.
      this.#behind = true;
      throw error;
    }
  }

  #apply(
    changes: Decided["changes"],
    transaction: Parameters<Parameters<Changes["transaction"]>[0]>[0],
  ): void {
    for (const step of changes) {
      if (step.type === "visible") {
        transaction.putVisibility(step.change);
        continue;
      }
      const { record, sequence } = step.change;
      transaction.putVersion(step.change);
      if (!step.replacement) continue;
      const sealed = sealReplacement(step.replacement, this.#options.seal, record.id);
      transaction.noteReplacement(record.id, sequence, sealed);
    }
  }

  async #catchUp(): Promise<void> {
    if (!this.#behind) return;
    await replay({
      log: this.#options.log,
      changes: this.#changes,
      context: this.#context,
      version: (id) => this.#reading.version(id),
      report: this.#options.report,
    });
    this.#behind = false;
  }

  #noteDamage(error: CacheError): void {
    this.#options.report(error);
    if (this.#damaged) return;
    this.#damaged = true;
    try {
      setTrust(this.#db, "damaged");
    } catch (failure) {
      this.#options.report(sqliteError(failure, "index.damage"));
    }
  }
}
