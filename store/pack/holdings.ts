/** What open uploads hold: records that have no row yet, and rows that must not go. */
import type { CacheError } from "../../core/errors.ts";
import type { Bytes } from "../../core/digest.ts";
import type { DataKind, DataRecord } from "../../core/record.ts";
import { HeldRecords } from "./held_records.ts";
import type { HeldState } from "./held_records.ts";
import type { Place } from "./places.ts";

/**
 * One record that at least one upload needs, as a look at it: valid until its last holder ends.
 * A `kept` one has a row, which may move but not go while somebody holds it.
 */
export class Holding {
  readonly row: number;
  readonly #records: HeldRecords;

  constructor(records: HeldRecords, row: number) {
    this.#records = records;
    this.row = row;
  }
  get kind(): DataKind {
    return this.#records.kind(this.row);
  }
  get id(): Bytes {
    return this.#records.id(this.row);
  }
  get state(): HeldState {
    return this.#records.state(this.row);
  }
  set state(state: HeldState) {
    this.#records.setState(this.row, state);
  }
  /** Where it stands; means nothing unless it is `pending`. */
  get place(): Place {
    return this.#records.place(this.row);
  }
  set place(place: Place) {
    this.#records.setPlace(this.row, place);
  }
  /** Whether it waits in this segment, at `from` or behind it. */
  waitsIn(segment: number, from = 0): boolean {
    return this.state === "pending" && this.#records.standsIn(this.row, segment, from);
  }
}

/** An upload that is not over, or one commit that brings its own records. */
export interface Upload {
  readonly name: string | undefined;
  /** Rows of what it holds, each once. */
  readonly rows: Set<number>;
  /** Why it can not be committed any more: the disk did not take some of it. */
  failed: CacheError | undefined;
}

/** All open uploads and what they hold. */
export class Holdings {
  readonly #uploads = new Map<string, Upload>();
  readonly #records = new HeldRecords();
  /** Who holds a row; a set where there is more than one. */
  readonly #holders: (Upload | Set<Upload> | undefined)[] = [];

  /** The open upload of this name, made if there is none; without a name always a new one. */
  upload(name: string | undefined): Upload {
    const known = name === undefined ? undefined : this.#uploads.get(name);
    if (known) return known;
    const upload: Upload = { name, rows: new Set(), failed: undefined };
    if (name !== undefined) this.#uploads.set(name, upload);
    return upload;
  }
  find(name: string): Upload | undefined {
    return this.#uploads.get(name);
  }
  /** How many uploads are open. */
  get open(): number {
    return this.#uploads.size;
  }
  /** How many records are held. */
  get size(): number {
    return this.#records.size;
  }
  /** What uploads hold of this record, if any does. */
  get(kind: DataKind, id: Uint8Array): Holding | undefined {
    const row = this.#records.find(kind, id);
    return row === undefined ? undefined : new Holding(this.#records, row);
  }

  /** Everything that any upload holds. */
  *all(): Iterable<Holding> {
    for (const row of this.#records.rows()) yield new Holding(this.#records, row);
  }
  /** Everything that this upload holds. */
  *of(upload: Upload): Iterable<Holding> {
    for (const row of upload.rows) yield new Holding(this.#records, row);
  }

  /** Lets an upload hold a record. `hasRow` is asked only if nobody holds it yet. */
  hold(upload: Upload, { kind, id }: Pick<DataRecord, "kind" | "id">, hasRow: () => boolean): void {
    const row = this.#records.find(kind, id) ??
      this.#records.add(kind, id, hasRow() ? "kept" : "new");
    if (upload.rows.has(row)) return;
    upload.rows.add(row);
    const others = this.#holders[row];
    if (others === undefined) this.#holders[row] = upload;
    else if (others instanceof Set) others.add(upload);
    else this.#holders[row] = new Set([others, upload]);
  }

  /** Ends an upload. What nobody else holds is let go; written without a row, it is dead space. */
  end(upload: Upload): void {
    for (const row of upload.rows) {
      const holders = this.#holders[row];
      if (holders instanceof Set) holders.delete(upload);
      if (holders instanceof Set && holders.size > 0) continue;
      this.#holders[row] = undefined;
      this.#records.remove(row);
    }
    upload.rows.clear();
    if (this.#records.size === 0) this.#holders.length = 0;
    if (upload.name !== undefined) this.#uploads.delete(upload.name);
  }

  /** Records without a row that stand in a segment, from an offset on. */
  pendingIn(segment: number, from = 0): Holding[] {
    const found: Holding[] = [];
    for (const holding of this.all()) if (holding.waitsIn(segment, from)) found.push(holding);
    return found;
  }

  /** What stands behind `from` is lost: every upload that needs some of it has failed. */
  fail(segment: number, from: number, error: CacheError): void {
    for (const holding of this.pendingIn(segment, from)) this.#fail(holding, error);
  }

  /** A row that uploads rely on is gone: they can not be committed. */
  lost(kind: DataKind, id: Uint8Array, error: CacheError): void {
    const holding = this.get(kind, id);
    if (holding?.state === "kept") this.#fail(holding, error);
  }

  #fail(holding: Holding, error: CacheError): void {
    holding.state = "new";
    const holders = this.#holders[holding.row];
    if (holders === undefined) return;
    for (const upload of holders instanceof Set ? holders : [holders]) upload.failed ??= error;
  }
}
