/** The reading half of an index over SQLite, the same on the writer's and on any other connection. */
import { entryId } from "../../codec/entry_id.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import { throwIfAborted } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Entry, EntryId, EntryKey } from "../../core/entry.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import type { KeyFilter } from "../../core/key_filter.ts";
import type { RangeSummary, ScanItem, ScanOptions, Visibility } from "../../core/metadata_index.ts";
import type { RowsBehind } from "../../core/rows_behind.ts";
import type { IndexTotals, Present } from "../contract.ts";
import { matchesFacts, matchesKey, scanFilter } from "../scan_filter.ts";
import type { ScanFilter } from "../scan_filter.ts";
import { compareKeys } from "../text_order.ts";
import { isDamage, translated } from "./errors.ts";
import type { Queries } from "./queries.ts";

/** Ids read at a time; the rows themselves are read one by one, since records may be large. */
const PAGE = 256;
/** Mostly the first is taken; each page sorts all that have the prefix. */
const NEWEST_PAGE = 32;

/** What {@linkcode Reading} is made of. */
export interface ReadingOptions {
  readonly queries: Queries;
  readonly context: RecordContext;
  readonly present: Present;
  /** Knows ids that are not in the tables. */
  readonly filter?: KeyFilter | undefined;
  /** Knows whether rows are still open that this connection does not see. */
  readonly behind?: RowsBehind | undefined;
  /** Hears of what cannot be read. */
  readonly damaged: (error: CacheError) => void;
}

/** Answers from the tables; after {@linkcode close} every call throws. */
export class Reading {
  readonly visibility: Visibility;
  readonly #options: ReadingOptions;
  #closed = false;

  constructor(options: ReadingOptions) {
    this.#options = options;
    const { queries } = options;
    this.visibility = {
      find: (namespace, digests) =>
        this.#look(
          "index.find",
          () => queries.visibleSizes(namespace, digests),
          (sizes) => sizes.includes(undefined),
        ),
      numberOf: (namespace) =>
        this.#look("index.find", () => queries.namespaceNo(namespace), isUndefined),
      list: (namespace, after, limit) => {
        this.#bringIn();
        return this.#ask("index.list", () => queries.visibleAfter(namespace, after, limit));
      },
    };
  }

  async get(key: EntryKey, options: SignalOptions = {}): Promise<Entry | undefined> {
    throwIfAborted(options.signal);
    const id = this.idOf(key);
    if (!id || this.#options.filter?.excludes(id)) return undefined;
    const item = this.version(id);
    if (item?.type !== "entry" || !await this.#isComplete(item.entry)) return undefined;
    return item.entry;
  }

  /** Whether an identity was certainly never written; as often as it is asked, without the tables. */
  absence(key: EntryKey): () => boolean {
    const id = this.idOf(key);
    const { filter } = this.#options;
    return () => id === undefined || (filter?.excludes(id) ?? false);
  }

  async *scan(options: ScanOptions = {}): AsyncGenerator<ScanItem, void, undefined> {
    const filter = scanFilter(options);
    let left = filter.limit;
    if (left === 0) return;
    this.#bringIn();
    const pages = this.#inOrder(filter);
    for (const item of pages) {
      throwIfAborted(options.signal);
      if (item.type === "tombstone" && !filter.tombstones) continue;
      if (item.type === "entry" && !matchesFacts(filter, item.entry)) continue;
      if (item.type === "entry" && !filter.incomplete && !await this.#isComplete(item.entry)) {
        continue;
      }
      yield item;
      if (--left === 0) return;
    }
  }

  summarize(namespace: string, scope: string, prefix: string): RangeSummary {
    this.#bringIn();
    return this.#ask(
      "index.summarize",
      () => this.#options.queries.summarize(namespace, scope, prefix),
    );
  }

  totals(): IndexTotals {
    this.#bringIn();
    return this.#ask("index.totals", () => this.#options.queries.totals());
  }

  /** The stored version, complete or not; `undefined` also for a row that cannot be read. */
  version(id: EntryId): ScanItem | undefined {
    try {
      return this.#look("index.get", () => this.#options.queries.version(id), isUndefined);
    } catch (error) {
      // A miss; it was reported, and the next start makes the file anew.
      if (!isDamage(error)) throw error;
      return undefined;
    }
  }

  /** The id of an identity; `undefined` for one that cannot have any: no UTF-8 is its key. */
  idOf(key: EntryKey): EntryId | undefined {
    return key.key.isWellFormed() ? entryId(this.#options.context.keys, key) : undefined;
  }

  close(): void {
    this.#closed = true;
  }

  #inOrder(filter: ScanFilter): Generator<ScanItem> {
    if (filter.order === "newest") return this.#byNewest(filter);
    return filter.order === "key" ? this.#byKey(filter) : this.#bySequence(filter);
  }

  /** The latest change of all scopes first. What changes meanwhile is older than it was seen. */
  *#byNewest(filter: ScanFilter): Generator<ScanItem> {
    const { newest } = this.#options.queries;
    const scopes = filter.prefix.isWellFormed() ? filter.scopes ?? [] : [];
    let before = Number.MAX_SAFE_INTEGER;
    while (true) {
      const at = before;
      const found = scopes.flatMap((scope) =>
        this.#ask("index.scan", () => newest.page(filter, { scope, before: at }, NEWEST_PAGE))
      );
      found.sort((a, b) => b.sequence - a.sequence);
      const page = found.slice(0, NEWEST_PAGE);
      for (const { id, key, sequence } of page) {
        const item = this.version(id);
        if (item?.type !== "entry" || item.entry.sequence !== sequence) continue;
        if (compareKeys(item.entry, key) === 0) yield item;
        else this.#options.damaged(misnamed());
      }
      if (page.length < NEWEST_PAGE) return;
      before = page.at(-1)!.sequence;
    }
  }

  /** Pages of ids; between them no statement is open, so that no snapshot is held. */
  *#byKey(filter: ScanFilter): Generator<ScanItem> {
    const { names } = this.#options.queries;
    let after = filter.after;
    while (true) {
      const from = after;
      const page = this.#ask("index.scan", () => names.page(filter, from, PAGE));
      for (const { id, key } of page) {
        const item = this.version(id);
        const stored = item?.type === "entry" ? item.entry : item?.tombstone;
        if (!item || !stored) continue;
        if (compareKeys(stored, key) === 0) yield item;
        else this.#options.damaged(misnamed());
      }
      if (page.length < PAGE) return;
      after = page.at(-1)?.key;
    }
  }

  *#bySequence(filter: ScanFilter): Generator<ScanItem> {
    const { queries } = this.#options;
    let after = filter.afterSequence;
    while (true) {
      const from = after;
      const page = this.#ask("index.scan", () => queries.changes(from, PAGE));
      let moved = false;
      for (const { id, sequence } of page) {
        after = sequence;
        const item = this.version(id);
        const now = item?.type === "entry" ? item.entry : item?.tombstone;
        // Changed since the page was read: it comes again, in its new place.
        if (now?.sequence !== sequence) moved = true;
        else if (item && matchesKey(filter, now)) yield item;
      }
      if (page.length < PAGE && !moved) return;
    }
  }

  async #isComplete({ namespace, blobs }: Entry): Promise<boolean> {
    return blobs.length === 0 || await this.#options.present(namespace, blobs);
  }

  /** Asks for one thing; not found, it is looked for again where rows were open. */
  #look<T>(operation: string, question: () => T, isMiss: (answer: T) => boolean): T {
    const { behind } = this.#options;
    const ask = () => this.#ask(operation, question);
    return behind ? behind.look("index", ask, isMiss) : ask();
  }

  /** Before what is asked of many rows. */
  #bringIn(): void {
    this.#options.behind?.bringIn("index");
  }

  #ask<T>(operation: string, question: () => T): T {
    if (this.#closed) throw closedError(operation);
    try {
      return translated(operation, question);
    } catch (error) {
      if (isKind(error, "corrupt")) this.#options.damaged(error);
      throw error;
    }
  }
}

function isUndefined(answer: unknown): boolean {
  return answer === undefined;
}

function misnamed(): CacheError {
  return new CacheError("corrupt", "Cannot read a row of the index: it stands under another name", {
    operation: "index.scan",
  });
}

/** The error of every call after a close. */
export function closedError(operation: string): CacheError {
  return new CacheError("unavailable", "Cannot use the index: it is closed, want an open one", {
    operation,
    retry: "permanent",
  });
}
