/** Where the tables say that records are, for readers. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Bytes } from "../../core/digest.ts";
import type { DataKind } from "../../core/record.ts";
import { inOneRead } from "../../core/one_read.ts";
import { KIND_NUMBER } from "../../core/record.ts";
import { packError } from "./errors.ts";
import type { Place, SegmentRow } from "./places.ts";

/** What a reader asks the tables; every answer is that of the last commit. */
export class LookUp {
  readonly #db: DatabaseSync;
  readonly #place: StatementSync;
  readonly #has: StatementSync;
  readonly #segment: StatementSync;
  readonly #meta: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
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
    return this.#ask(() => this.#place.get(KIND_NUMBER[kind], id)) as Place | undefined;
  }
  /** Places of many records, all as one commit left them. */
  places(kind: DataKind, wanted: readonly { readonly id: Bytes }[]): (Place | undefined)[] {
    const number = KIND_NUMBER[kind];
    return this.#ask(() =>
      inOneRead(
        this.#db,
        wanted.length,
        () => wanted.map(({ id }) => this.#place.get(number, id) as Place | undefined),
      )
    );
  }
  has(kind: DataKind, ids: readonly Bytes[]): boolean[] {
    const number = KIND_NUMBER[kind];
    return this.#ask(() =>
      inOneRead(
        this.#db,
        ids.length,
        () => ids.map((id) => this.#has.get(number, id) !== undefined),
      )
    );
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

  #ask<T>(question: () => T): T {
    try {
      return question();
    } catch (error) {
      throw packError(error, "look up", "records");
    }
  }
}
