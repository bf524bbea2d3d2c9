/** What open uploads hold: records that have no row yet, and rows that must not go. */
import type { CacheError } from "../../core/errors.ts";
import type { Bytes } from "../../core/digest.ts";
import type { DataKind, DataRecord } from "../../core/record.ts";
import { recordKey } from "./places.ts";
import type { Place } from "./places.ts";

/** One record that at least one upload needs. */
export interface Holding {
  readonly kind: DataKind;
  readonly id: Bytes;
  /**
   * `new`: not written. `pending`: written, without a row. `kept`: has a row, which may move
   * but not go while somebody holds it.
   */
  state: "new" | "pending" | "kept";
  /** Where it stands; set while `pending`. */
  place: Place | undefined;
  readonly holders: Set<Upload>;
}

/** An upload that is not over, or one commit that brings its own records. */
export interface Upload {
  readonly name: string | undefined;
  readonly held: Map<string, Holding>;
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
    const upload: Upload = { name, held: new Map(), failed: undefined };
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
      const state = hasRow() ? "kept" : "new";
      const { kind, id } = record;
      holding = { kind, id, state, place: undefined, holders: new Set() };
      this.#held.set(key, holding);
    }
    holding.holders.add(upload);
    upload.held.set(key, holding);
    return holding;
  }

  /** Ends an upload. What nobody else holds is let go; written without a row, it is dead space. */
  end(upload: Upload): void {
    for (const [key, holding] of upload.held) {
      holding.holders.delete(upload);
      if (holding.holders.size === 0) this.#held.delete(key);
    }
    upload.held.clear();
    if (upload.name !== undefined) this.#uploads.delete(upload.name);
  }

  /** Records without a row that stand in a segment, from an offset on. */
  pendingIn(segment: number, from = 0): Holding[] {
    const found: Holding[] = [];
    for (const holding of this.#held.values()) {
      const { state, place } = holding;
      if (state !== "pending" || place?.segment !== segment) continue;
      if (place.offset >= from) found.push(holding);
    }
    return found;
  }

  /** What stands behind `from` is lost: every upload that needs some of it has failed. */
  fail(segment: number, from: number, error: CacheError): void {
    for (const holding of this.pendingIn(segment, from)) {
      holding.state = "new";
      holding.place = undefined;
      for (const upload of holding.holders) upload.failed ??= error;
    }
  }

  /** A row that uploads rely on is gone: they can not be committed. */
  lost(kind: DataKind, id: Uint8Array, error: CacheError): void {
    const holding = this.#held.get(recordKey(kind, id));
    if (holding?.state !== "kept") return;
    holding.state = "new";
    for (const upload of holding.holders) upload.failed ??= error;
  }
}
