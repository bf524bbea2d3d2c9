/** Where the tables say that records are, for readers. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Bytes } from "../../core/digest.ts";
import type { DataKind } from "../../core/record.ts";
import { inOneRead } from "../../core/one_read.ts";
import { KIND_NUMBER } from "../../core/record.ts";
import type { RowsBehind } from "../../core/rows_behind.ts";
import { packError } from "./errors.ts";
import type { Place, SegmentRow } from "./places.ts";

/** What a reader asks the tables; every answer is that of the last commit or of a later one. */
export class LookUp {
  readonly #db: DatabaseSync;
  readonly #place: StatementSync;
  readonly #has: StatementSync;
  readonly #segment: StatementSync;
  readonly #meta: StatementSync;
  readonly #behind: RowsBehind | undefined;

  constructor(db: DatabaseSync, behind?: RowsBehind) {
    this.#db = db;
    this.#behind = behind;
    // A bit that rots may turn a number into a text or one that no file is long enough for: what is
    // asked of the file stays a number, and what stands there is not the record.
    this.#place = db.prepare(
      "SELECT CAST(segment AS INTEGER) AS segment, CAST(offset AS INTEGER) & 9007199254740991 " +
        "AS offset, CAST(stored AS INTEGER) & 4294967295 AS stored, " +
        "CAST(raw AS INTEGER) & 4294967295 AS raw, CAST(codec AS INTEGER) & 255 AS codec " +
        "FROM location WHERE kind = ? AND id = ?",
    );
    this.#has = db.prepare("SELECT 1 FROM location WHERE kind = ? AND id = ?");
    this.#segment = db.prepare(
      "SELECT number, name, area, state FROM segments WHERE number = ? AND state <> 'dropping'",
    );
    this.#meta = db.prepare("SELECT value FROM meta WHERE key = ?");
  }

  place(kind: DataKind, id: Bytes): Place | undefined {
    const question = () => this.#place.get(KIND_NUMBER[kind], id) as Place | undefined;
    return this.#ask(question, (place) => place === undefined);
  }
  /** Places of many records, all as one commit left them. */
  places(kind: DataKind, wanted: readonly { readonly id: Bytes }[]): (Place | undefined)[] {
    const number = KIND_NUMBER[kind];
    return this.#ask(() =>
      inOneRead(
        this.#db,
        wanted.length,
        () => wanted.map(({ id }) => this.#place.get(number, id) as Place | undefined),
      ), (places) => places.includes(undefined));
  }
  has(kind: DataKind, ids: readonly Bytes[]): boolean[] {
    const number = KIND_NUMBER[kind];
    return this.#ask(() =>
      inOneRead(
        this.#db,
        ids.length,
        () => ids.map((id) => this.#has.get(number, id) !== undefined),
      ), (all) => all.includes(false));
  }
  segment(number: number): Pick<SegmentRow, "number" | "name" | "area" | "state"> | undefined {
    return this.#ask(() => this.#segment.get(number)) as
      | Pick<SegmentRow, "number" | "name" | "area" | "state">
      | undefined;
  }
  /** Whether the last stop was unclean. */
  uncleanStart(): boolean {
    return this.#ask(() => this.#meta.get("unclean_start")?.["value"]) === 1;
  }

  /** Has the writer commit what waits, before totals are read. */
  bringIn(): void {
    this.#behind?.bringIn("packs");
  }

  #ask<T>(question: () => T, isMiss: (answer: T) => boolean = () => false): T {
    try {
      return this.#behind ? this.#behind.look("packs", question, isMiss) : question();
    } catch (error) {
      throw packError(error, "look up", "records");
    }
  }
}
