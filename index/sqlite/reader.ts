/** The index on a serving thread: a read-only connection that sees what the writer committed. */
import type { SignalOptions } from "../../core/bytes.ts";
import type { DatabaseSync } from "node:sqlite";
import type { Entry, EntryDraft, EntryId, EntryKey } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import type {
  PutOutcome,
  RangeSummary,
  ScanItem,
  ScanOptions,
  Visibility,
} from "../../core/metadata_index.ts";
import type { IndexReader, IndexReaderOptions, IndexTotals } from "../contract.ts";
import { metaOf, openForReading } from "./open_file.ts";
import { prepareQueries } from "./queries.ts";
import { Reading } from "./reading.ts";

/**
 * Opens the file of a writer that is open. Changes go to the writer: `put` and `delete` refuse.
 * @throws {CacheError} `unavailable` when there is no file, `unsupported` for another schema
 */
export function openIndexReader(options: IndexReaderOptions): IndexReader {
  const db = openForReading(options.path);
  try {
    return new SqliteReader(db, options);
  } catch (error) {
    db.close();
    throw error;
  }
}

class SqliteReader implements IndexReader {
  readonly #db: DatabaseSync;
  readonly #reading: Reading;
  readonly #forwardTouch: (ids: readonly EntryId[], at: number) => void;
  readonly #indexId: string;
  #closed = false;

  constructor(db: DatabaseSync, options: IndexReaderOptions) {
    const context = { keys: options.keys, seal: options.seal };
    this.#db = db;
    this.#forwardTouch = options.forwardTouch ?? (() => {});
    this.#indexId = String(metaOf(db, "index_id"));
    this.#reading = new Reading({
      queries: prepareQueries(db, context),
      context,
      present: options.present,
      filter: options.filter,
      behind: options.behind,
      damaged: options.report ?? (() => {}),
    });
  }

  get visibility(): Visibility {
    return this.#reading.visibility;
  }
  get(key: EntryKey, options?: SignalOptions): Promise<Entry | undefined> {
    return this.#reading.get(key, options);
  }
  absence(key: EntryKey): () => boolean {
    return this.#reading.absence(key);
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
  touch(keys: readonly EntryKey[], at: number): void {
    const ids = keys.map((key) => this.#reading.idOf(key)).filter((id) => id !== undefined);
    this.#forwardTouch(ids, at);
  }
  async put(_draft: EntryDraft): Promise<PutOutcome> {
    throw readOnly("put");
  }
  async delete(_keys: readonly EntryKey[]): Promise<number> {
    throw readOnly("delete");
  }
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#reading.close();
    this.#db.close();
  }
}

function readOnly(what: string): CacheError {
  return new CacheError(
    "unsupported",
    `Cannot ${what} an entry: this index is open for reading, want the writer's`,
    { operation: `index.${what}` },
  );
}
