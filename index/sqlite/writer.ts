/** The one index that writes: its reading half, rounds, uses, and how it ends. */
// size: the contract of the writer, and the class that is its one door
import type { DatabaseSync } from "node:sqlite";
import type { BlobRow } from "../../codec/clear_part.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import { decodeKeep } from "../../codec/keep_record.ts";
import { throwIfAborted } from "../../core/abort.ts";
import { Background } from "../../core/background.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import type { Entry, EntryDraft, EntryId, EntryKey } from "../../core/entry.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { eachId } from "../../core/id_pages.ts";
import { KeyFilter } from "../../core/key_filter.ts";
import type { KnownBlobsWriter } from "../../core/known_blobs.ts";
import type { LateCheck } from "../../core/late_check.ts";
import type {
  PutOutcome,
  RangeSummary,
  ScanItem,
  ScanOptions,
  Visibility,
} from "../../core/metadata_index.ts";
import type {
  Candidate,
  Forgotten,
  IndexBatch,
  IndexCommit,
  IndexTotals,
  IndexWriter,
  IndexWriterOptions,
  KeepBatch,
  NamespaceShare,
  PinRow,
  Replacement,
  SpaceShare,
  SummaryOptions,
} from "../contract.ts";
import type { SummaryView } from "../../core/summary/trie.ts";
import { openReplacement } from "../replacement.ts";
import type { AuditTrail } from "../audit/trail.ts";
import { TouchBuffer } from "../touch_buffer.ts";
import type { Changes } from "./changes.ts";
import { compactLog, isCompactionDue } from "./compaction.ts";
import { sqliteError, translated } from "./errors.ts";
import { sampleEntries } from "./sample.ts";
import { entryIds, SideReads, visibleIds } from "./id_pages.ts";
import { metaOf, setTrust } from "./open_file.ts";
import type { SpaceListener } from "./numbers.ts";
import type { Queries } from "./queries.ts";
import { closedError, Reading } from "./reading.ts";
import { isNewToAll } from "./round_blobs.ts";
import { Rounds } from "./rounds.ts";
import { SummaryDesk } from "./summary_desk.ts";

/** The parts of a writer, opened and at the end of the log. */
export interface WriterParts {
  readonly db: DatabaseSync;
  readonly queries: Queries;
  readonly changes: Changes;
  /** Owned by the writer. */
  readonly trail: AuditTrail | undefined;
  /** Whether the file has still to be checked. */
  readonly unchecked: boolean;
}

/** An {@linkcode IndexWriter} over SQLite; made by `openIndexWriter`. */
export class SqliteWriter implements IndexWriter {
  readonly #options: IndexWriterOptions;
  readonly #context: RecordContext;
  readonly #db: DatabaseSync;
  readonly #queries: Queries;
  readonly #changes: Changes;
  readonly #trail: AuditTrail | undefined;
  readonly #reading: Reading;
  readonly #rounds: Rounds;
  readonly #background: Background;
  readonly #touches: TouchBuffer;
  readonly #summaries: SummaryDesk;
  readonly #side: SideReads;
  readonly #indexId: string;
  readonly #learning = new AbortController();
  readonly filter: KeyFilter;
  readonly check: LateCheck;
  #known: KnownBlobsWriter | undefined;
  #damaged = false;
  #closing: Promise<void> | undefined;

  constructor(parts: WriterParts, options: IndexWriterOptions) {
    this.#options = options;
    this.#context = { keys: options.keys, seal: options.seal };
    this.#db = parts.db;
    this.#queries = parts.queries;
    this.#changes = parts.changes;
    this.#trail = parts.trail;
    this.#indexId = String(metaOf(parts.db, "index_id"));
    this.#reading = new Reading({
      queries: parts.queries,
      context: this.#context,
      present: options.present,
      damaged: (error) => this.#noteDamage(error),
    });
    this.#background = new Background(options.report);
    this.check = this.#lateCheck(parts.unchecked);
    this.filter = KeyFilter.create(parts.changes.state.entries);
    this.#rounds = new Rounds({
      ...options,
      context: this.#context,
      changes: parts.changes,
      trail: parts.trail,
      filter: this.filter,
      version: (id) => this.filter.excludes(id) ? undefined : this.#reading.version(id),
      visibleSizes: (namespace, digests) =>
        isNewToAll(this.#known, digests)
          ? digests.map(() => undefined)
          : this.#reading.visibility.find(namespace, digests),
      background: this.#background,
    });
    this.#summaries = new SummaryDesk({
      queries: parts.queries,
      changes: parts.changes,
      alone: (work) => this.#rounds.alone(work),
    });
    const commitRows = () => this.commitRows();
    this.#side = new SideReads({ path: options.path, db: this.#db, commitRows });
    this.#touches = new TouchBuffer({
      clock: options.clock,
      background: this.#background,
      store: (uses) => {
        // Of its own: what it throws must not take rows with it that it knows nothing of.
        this.#rounds.commitRows();
        this.#changes.transaction((transaction) => {
          for (const { id, at } of uses) transaction.noteUse(id, at);
        });
      },
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
  async summary(
    namespace: string,
    scope: string,
    options: SummaryOptions = {},
  ): Promise<SummaryView> {
    if (this.#closing) throw closedError("index.summary");
    return await this.#summaries.view(namespace, scope, options);
  }
  totals(): IndexTotals {
    return this.#reading.totals();
  }
  indexId(): string {
    return this.#indexId;
  }
  commitRows(): void {
    if (this.#db.isOpen) this.#rounds.commitRows();
  }
  auditBytes(): number {
    return this.#trail?.bytes ?? 0;
  }
  mendAudit(): void {
    this.#trail?.mend();
  }
  shares(): { namespaces: NamespaceShare[]; spaces: SpaceShare[] } {
    return translated("index.shares", () => this.#changes.shares.shares());
  }
  namespaceShare(namespace: string): NamespaceShare {
    const row = translated("index.shares", () => this.#changes.shares.known(namespace));
    return { namespace, blobs: row?.blobs ?? 0, bytes: row?.bytes ?? 0 };
  }
  spaceShare(namespace: string, scope: string): SpaceShare {
    const row = translated(
      "index.shares",
      () => this.#changes.shares.knownSpace({ namespace, scope }),
    );
    return { namespace, scope, entries: row?.entries ?? 0, bytes: row?.bytes ?? 0 };
  }
  sample(namespace: string, scopes: readonly string[], limit: number): Candidate[] {
    return translated("index.sample", () => {
      const rows = scopes.flatMap((scope) => {
        return this.#changes.shares.knownSpace({ namespace, scope }) ?? [];
      });
      return sampleEntries(this.#db, rows, { limit, context: this.#context });
    });
  }
  stored(key: EntryKey): Entry | undefined {
    const id = this.#reading.idOf(key);
    if (!id || this.filter.excludes(id)) return undefined;
    const item = this.#reading.version(id);
    return item?.type === "entry" ? item.entry : undefined;
  }
  watchShares(listener: SpaceListener): void {
    this.#changes.shares.watch(listener);
  }
  pins(): PinRow[] {
    return translated("index.pins", () => this.#changes.pins()).map(({ id, body }) => {
      const { key, by, at } = decodeKeep(body, this.#context.seal);
      return { id, key, by, at };
    });
  }
  namespaces(): string[] {
    return this.#changes.namespaces().map(({ name }) => name);
  }

  learn(given?: AbortSignal): Promise<void> {
    const signal = given ? AbortSignal.any([given, this.#learning.signal]) : this.#learning.signal;
    const visit = (id: Bytes) => this.filter.add(id);
    const work = this.#side.run((db) => eachId(entryIds(db), { visit, signal })).then(() => {
      if (!signal.aborted) this.filter.complete();
    });
    this.#background.run("index.learn", work);
    return work;
  }

  async tell(known: KnownBlobsWriter, signal: AbortSignal): Promise<void> {
    this.#changes.tell(known);
    this.#known = known;
    // A namespace that comes later tells of its blobs itself.
    await this.#side.run(async (db) => {
      for (const { no } of this.#changes.namespaces()) {
        for (const large of [false, true]) {
          if (signal.aborted) return;
          const visit = (id: Bytes) => known.learnShown(no, id, large);
          await eachId(visibleIds(db, no, large), { visit, signal });
        }
      }
    });
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

  commit(batch: IndexBatch & KeepBatch): Promise<IndexCommit> {
    if (this.#closing) return Promise.reject(closedError("index.commit"));
    return this.#rounds.commit(batch);
  }

  compact(options: { readonly force?: boolean | undefined } = {}): Promise<boolean> {
    if (this.#closing) return Promise.reject(closedError("index.compact"));
    return this.#rounds.alone(async () => {
      if (!options.force && !isCompactionDue(this.#changes)) return false;
      await this.#compact();
      return true;
    });
  }

  forgetLost(isLost: (blob: BlobRow) => boolean): Promise<Forgotten> {
    if (this.#closing) return Promise.reject(closedError("index.forget"));
    return this.#rounds.alone(() => this.#compact(isLost));
  }

  logBytes(): number {
    return this.#changes.state.logBytes;
  }

  async #compact(isLost?: (blob: BlobRow) => boolean): Promise<Forgotten> {
    this.#settleAudit();
    const forgotten = await compactLog({
      db: this.#db,
      log: this.#options.log,
      changes: this.#changes,
      queries: this.#queries,
      context: this.#context,
      now: this.#options.clock.now(),
      isLost,
    });
    this.#trail?.mark(this.#changes.state.position);
    return forgotten;
  }

  /** Waits for what was committed, stores uses, and marks the file as closed well. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#learning.abort();
    await this.#side.idle();
    await this.#rounds.idle();
    try {
      if (!this.#rounds.behind) this.#rounds.commitRows();
    } catch (error) {
      this.#options.report(toCacheError(error, "index.close")); // the log has them
    }
    try {
      this.#touches.close();
    } catch (error) {
      this.#options.report(toCacheError(error, "index.close")); // uses are only hints
    }
    this.#closeAudit();
    try {
      if (!this.#rounds.behind && !this.#damaged) this.#summaries.save();
    } catch (error) {
      this.#options.report(toCacheError(error, "index.close")); // they can be made anew
    }
    try {
      if (!this.#rounds.behind && !this.#damaged && !this.check.due) {
        translated("index.close", () => setTrust(this.#db, "clean"));
      }
    } finally {
      this.#reading.close();
      this.#db.close();
      await this.#background[Symbol.asyncDispose]();
    }
  }

  /** A compaction drops the notes, so every row must be on the disk before. */
  #settleAudit(): void {
    if (this.#trail?.behind) {
      throw new CacheError(
        "unavailable",
        "Cannot compact the log: the audit does not have it yet",
        {
          operation: "index.compact",
          retry: "temporary",
        },
      );
    }
    this.#trail?.sync();
  }

  #closeAudit(): void {
    try {
      // A mark says that all before it is whole: it must not reach the disk before the rows do.
      this.#trail?.sync();
      this.#trail?.mark(this.#changes.state.position);
      this.#trail?.sync();
    } catch (error) {
      this.#options.report(toCacheError(error, "audit.close")); // the log has it
    }
    this.#trail?.close();
  }

  #lateCheck(due: boolean): LateCheck {
    return {
      get due() {
        return due;
      },
      settle: (problem) => {
        due = false;
        if (problem === undefined || this.#closing) return;
        this.#noteDamage(
          new CacheError("corrupt", `Cannot trust the index: ${problem}`, {
            operation: "index.check",
            hint: "the next start makes it anew from the log",
          }),
        );
      },
    };
  }

  #noteDamage(error: CacheError): void {
    this.#options.report(error);
    if (this.#damaged) return;
    this.#damaged = true;
    try {
      this.#rounds.commitRows();
      setTrust(this.#db, "damaged");
    } catch (failure) {
      this.#options.report(sqliteError(failure, "index.damage"));
    }
  }
}
