/** What open uploads hold: records that have no row yet, and rows that must not go. */
import type { RecordCodec } from "../../codec/record.ts";
import type { CacheError } from "../../core/errors.ts";
import type { Bytes } from "../../core/digest.ts";
import type { DataKind, DataRecord } from "../../core/record.ts";
import { recordKey } from "./places.ts";
import type { Place } from "./places.ts";

/**
 * One record that at least one upload needs. An upload of 20 GiB has 300,000 of them: so they are
 * small, and what can be made again is not kept.
 */
export class Holding {
  readonly kind: DataKind;
  readonly #key: string;
  /**
   * `new`: not written. `pending`: written, without a row. `kept`: has a row, which may move
   * but not go while somebody holds it.
   */
  state: "new" | "pending" | "kept";
  #segment = 0;
  #offset = 0;
  #stored = 0;
  #raw = 0;
  #codec: RecordCodec = 0;
  #holder: Upload | undefined;
  #others: Set<Upload> | undefined;

  constructor(kind: DataKind, key: string, state: "new" | "kept") {
    this.kind = kind;
    this.#key = key;
    this.state = state;
  }
  get id(): Bytes {
    return Uint8Array.from(this.#key.slice(1), (character) => character.charCodeAt(0));
  }
  get key(): string {
    return this.#key;
  }
  /** Where it stands; means nothing unless it is `pending`. */
  get place(): Place {
    return {
      segment: this.#segment,
      offset: this.#offset,
      stored: this.#stored,
      raw: this.#raw,
      codec: this.#codec,
    };
  }
  set place({ segment, offset, stored, raw, codec }: Place) {
    this.#segment = segment;
    this.#offset = offset;
    this.#stored = stored;
    this.#raw = raw;
    this.#codec = codec;
  }
  /** Whether it waits in this segment, at `from` or behind it. */
  waitsIn(segment: number, from = 0): boolean {
    return this.state === "pending" && this.#segment === segment && this.#offset >= from;
  }
  /** Tells whether this upload did not hold it before. */
  add(upload: Upload): boolean {
    if (this.#holder === upload || this.#others?.has(upload)) return false;
    if (this.#holder === undefined) this.#holder = upload;
    else (this.#others ??= new Set()).add(upload);
    return true;
  }
  /** Tells whether nobody holds it any more. */
  remove(upload: Upload): boolean {
    if (this.#holder === upload) this.#holder = undefined;
    else this.#others?.delete(upload);
    return this.#holder === undefined && (this.#others?.size ?? 0) === 0;
  }
  /** Lets all that hold it fail. */
  fail(error: CacheError): void {
    this.state = "new";
    if (this.#holder) this.#holder.failed ??= error;
    for (const upload of this.#others ?? []) upload.failed ??= error;
  }
}

/** An upload that is not over, or one commit that brings its own records. */
export interface Upload {
  readonly name: string | undefined;
  /** Each once. */
  readonly held: Holding[];
  /** Why it can not be committed any more: the disk did not take some of it. */
  failed: CacheError | undefined;
}

/** All open uploads and what they hold. */
export class Holdings {
  readonly #uploads = new Map<string, Upload>();
  readonly #held = new Map<string, Holding>();

  /** The open upload of this name, made if there is none; without a name always a new one. */
  upload(name: string | undefined): Upload {
    const known = name === undefined ? undefined : this.#uploads.get(name);
    if (known) return known;
    const upload: Upload = { name, held: [], failed: undefined };
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
    return this.#held.size;
  }
  /** What uploads hold of this record, if any does. */
  get(kind: DataKind, id: Uint8Array): Holding | undefined {
    return this.#held.size === 0 ? undefined : this.#held.get(recordKey(kind, id));
  }

  /** Everything that any upload holds. */
  all(): Iterable<Holding> {
    return this.#held.values();
  }

  /** Lets an upload hold a record. `hasRow` is asked only if nobody holds it yet. */
  hold(upload: Upload, record: DataRecord, hasRow: () => boolean): Holding {
    const key = recordKey(record.kind, record.id);
    let holding = this.#held.get(key);
    if (!holding) {
      holding = new Holding(record.kind, key, hasRow() ? "kept" : "new");
      this.#held.set(key, holding);
    }
    if (holding.add(upload)) upload.held.push(holding);
    return holding;
  }

  /** Ends an upload. What nobody else holds is let go; written without a row, it is dead space. */
  end(upload: Upload): void {
    for (const holding of upload.held) {
      if (holding.remove(upload)) this.#held.delete(holding.key);
    }
    upload.held.length = 0;
    if (upload.name !== undefined) this.#uploads.delete(upload.name);
  }

  /** Records without a row that stand in a segment, from an offset on. */
  pendingIn(segment: number, from = 0): Holding[] {
    return [...this.#held.values()].filter((holding) => holding.waitsIn(segment, from));
  }

  /** What stands behind `from` is lost: every upload that needs some of it has failed. */
  fail(segment: number, from: number, error: CacheError): void {
    for (const holding of this.pendingIn(segment, from)) holding.fail(error);
  }

  /** A row that uploads rely on is gone: they can not be committed. */
  lost(kind: DataKind, id: Uint8Array, error: CacheError): void {
    const holding = this.#held.get(recordKey(kind, id));
    if (holding?.state !== "kept") return;
    holding.fail(error);
  }
}
