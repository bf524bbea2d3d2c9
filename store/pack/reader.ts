/** Reads records from segments and packs; one instance a thread. */
import { DatabaseSync } from "node:sqlite";
import { isRecordAt, openBody, RECORD_HEADER_BYTES } from "../../codec/record.ts";
import { abortable, throwIfAborted } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { ChunkSource, HeldRecords, WantedBody } from "../../core/chunk_store.ts";
import type { Bytes } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import type { DataKind } from "../../core/record.ts";
import type { ScrubStatus } from "../../core/scrub.ts";
import { Descriptors } from "./descriptors.ts";
import type { PinnedSegment } from "./descriptors.ts";
import { packError } from "./errors.ts";
import { LookUp } from "./look_up.ts";
import { NameCheck } from "./name_check.ts";
import { recordBytes, recordKey, samePlace } from "./places.ts";
import type { Place } from "./places.ts";
import type { Wanted } from "./places.ts";
import type { PackReaderOptions, SharedStore } from "./reader_options.ts";
import { readTotals, TABLES_FILE } from "./schema.ts";
import type { PackTotals } from "./schema.ts";
import { bodyOr, notHere, otherLength } from "../wanted_body.ts";
import { readScrub } from "./scrub.ts";
import { folderSegmentFiles } from "./segment_files.ts";

/** A {@linkcode ChunkSource} over segments and packs. */
export interface PackReader extends ChunkSource {
  /** Gives up segments that are about to be deleted, each as soon as nobody reads it. */
  retire(segments: readonly number[]): void;
  totals(): PackTotals;
  /** What is known of the scrub; `undefined` before its first step. */
  scrub(): ScrubStatus | undefined;
}

/**
 * Opens a reader on a store that a writer has open.
 * @throws {CacheError} `unavailable` when there are no tables
 */
export function openPackReader(options: PackReaderOptions): PackReader {
  const { store } = options;
  if ("shared" in store) return new Reader(options, store.shared, () => {});
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(`${store.dir}/${TABLES_FILE}`, { readOnly: true });
    db.exec("PRAGMA busy_timeout = 5000");
    const files = folderSegmentFiles(store.dir);
    const opened = db;
    return new Reader(options, { db, files }, () => opened.close());
  } catch (error) {
    db?.close();
    throw packError(error, "open", `the store "${store.dir}"`);
  }
}

class Reader implements PackReader {
  readonly #options: PackReaderOptions;
  readonly #db: DatabaseSync;
  readonly #lookUp: LookUp;
  readonly #descriptors: Descriptors;
  readonly #flights = new Map<string, Promise<Bytes | undefined>>();
  readonly #names: NameCheck;
  readonly #close: () => void;
  /** What stood where the header of a record is read to. */
  readonly #under = new Uint8Array(RECORD_HEADER_BYTES);
  #closed = false;

  constructor(options: PackReaderOptions, shared: SharedStore, close: () => void) {
    this.#options = options;
    this.#db = shared.db;
    this.#lookUp = new LookUp(shared.db, options.behind);
    this.#descriptors = new Descriptors({ files: shared.files, objects: options.objects });
    this.#close = close;
    this.#names = new NameCheck(options.verify, this.#lookUp.uncleanStart());
  }

  has(kind: DataKind, ids: readonly Bytes[]): boolean[] {
    return this.#lookUp.has(kind, ids);
  }

  read(
    kind: DataKind,
    id: Bytes,
    options: SignalOptions = {},
  ): Bytes | undefined | Promise<Bytes | undefined> {
    throwIfAborted(options.signal);
    const found = this.#find({ kind, id });
    if (!found) return undefined;
    const { wanted, pinned } = found;
    if (!pinned.bytes.local) {
      pinned[Symbol.dispose]();
      return abortable(this.#readFar(wanted), options.signal);
    }
    using _pin = pinned;
    const bytes = this.#guard(() =>
      pinned.bytes.read(wanted.place.offset, recordBytes(wanted.place))
    );
    return this.#open(wanted, bytes as Bytes);
  }

  hold(kind: DataKind, wanted: readonly WantedBody[]): HeldRecords {
    using pins = new DisposableStack();
    const held = new Map<number, PinnedSegment>();
    const places = this.#lookUp.places(kind, wanted).map((place, n) => {
      const one = wanted[n]!;
      const found = place && this.#find({ kind, id: one.id }, { held, place });
      if (!found) throw notHere(kind, one.id);
      const { segment, raw } = found.wanted.place;
      if (!held.has(segment)) held.set(segment, pins.use(found.pinned));
      if (raw !== one.length) throw otherLength(kind, one, raw);
      return found.wanted;
    });
    const owned = pins.move();
    return {
      join: (from, to, options) => this.#join(places.slice(from, to), held, options),
      [Symbol.dispose]: () => owned.dispose(),
    };
  }

  losses(): number {
    return this.#options.counters.get("losses");
  }
  totals(): PackTotals {
    this.#lookUp.bringIn();
    return readTotals(this.#db);
  }
  scrub(): ScrubStatus | undefined {
    return readScrub(this.#db);
  }
  retire(segments: readonly number[]): void {
    this.#descriptors.retire(segments);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled(this.#flights.values());
    this.#descriptors[Symbol.dispose]();
    this.#close();
  }

  /**
   * A record's place with its segment held; `undefined` if it is not here. What is known already is
   * not asked again: the place a moment ago, segments that the caller holds.
   */
  #find(
    record: Pick<Wanted, "kind" | "id">,
    known: { place?: Place; held?: ReadonlyMap<number, PinnedSegment> } = {},
  ): { wanted: Wanted; pinned: PinnedSegment } | undefined {
    let before: Place | undefined;
    // Between the look at the tables and the opening of the file, the segment may be sealed, or the
    // record may move: the tables then say something else, so they are asked once more.
    for (let attempt = 0; attempt < 3; attempt++) {
      const asked = attempt === 0 ? known.place : undefined;
      const place = asked ?? this.#lookUp.place(record.kind, record.id);
      if (!place) return undefined;
      const wanted = { ...record, place };
      const open = known.held?.get(place.segment) ?? this.#descriptors.find(place.segment);
      if (open) return { wanted, pinned: open };
      const segment = this.#lookUp.segment(place.segment);
      const pinned = segment && this.#descriptors.open(segment);
      if (pinned) return { wanted, pinned };
      before = place;
    }
    if (before) this.#damage({ ...record, place: before });
    return undefined;
  }

  #join(
    places: readonly Wanted[],
    held: ReadonlyMap<number, PinnedSegment>,
    options: SignalOptions = {},
  ): Bytes | Promise<Bytes> {
    throwIfAborted(options.signal);
    let bytes = 0;
    let local = true;
    for (const { place } of places) {
      bytes += place.raw;
      local &&= held.get(place.segment)!.bytes.local;
    }
    if (!local) return this.#joinFar(places, bytes, options);
    // Room in front for the header of the first record, see `#readBody`.
    const memory = new Uint8Array(RECORD_HEADER_BYTES + bytes);
    let at = RECORD_HEADER_BYTES;
    for (const one of places) {
      this.#readBody(one, held.get(one.place.segment)!, memory, at);
      at += one.place.raw;
    }
    return memory.subarray(RECORD_HEADER_BYTES);
  }

  /** Puts the checked body of a record at `at`. */
  #readBody(wanted: Wanted, pinned: PinnedSegment, memory: Bytes, at: number): void {
    const { kind, id, place } = wanted;
    if (place.codec !== 0) {
      const record = this.#guard(() => pinned.bytes.read(place.offset, recordBytes(place)));
      const body = this.#open(wanted, record as Bytes);
      if (!body) throw notHere(kind, id);
      return memory.set(body, at);
    }
    // The record is read to where its body belongs, so its header falls on the end of the body
    // before, which is put back: one read a record, and no body is ever moved.
    const from = at - RECORD_HEADER_BYTES;
    const length = recordBytes(place);
    const under = this.#under;
    for (let i = 0; i < under.length; i++) under[i] = memory[from + i]!;
    const read = this.#guard(() => pinned.bytes.readInto(memory, place.offset, { from, length }));
    if (
      read !== length || !isRecordAt(memory, from, { ...place, kind, id }) ||
      !this.#names.fits(wanted, () => memory.subarray(at, at + place.raw), false)
    ) {
      this.#damage(wanted);
      throw notHere(kind, id);
    }
    for (let i = 0; i < under.length; i++) memory[from + i] = under[i]!;
  }

  async #joinFar(
    places: readonly Wanted[],
    bytes: number,
    { signal }: SignalOptions,
  ): Promise<Bytes> {
    const memory = new Uint8Array(bytes);
    let at = 0;
    for (const wanted of places) {
      throwIfAborted(signal);
      const { kind, id, place } = wanted;
      const body = await abortable(this.#readFar(wanted), signal);
      memory.set(bodyOr({ id, length: place.raw }, body, kind), at);
      at += place.raw;
    }
    return memory;
  }

  /** One fetch for all that ask for the same record; it goes on when one of them gives up. */
  #readFar(wanted: Wanted): Promise<Bytes | undefined> {
    const key = recordKey(wanted.kind, wanted.id);
    const flying = this.#flights.get(key);
    if (flying) return flying;
    const flight = this.#fetch(wanted).finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  async #fetch(wanted: Wanted): Promise<Bytes | undefined> {
    for (let current: Wanted | undefined = wanted; current;) {
      const found = this.#find(current);
      if (!found) return undefined;
      using pinned = found.pinned;
      const { place } = found.wanted;
      const bytes = await pinned.bytes.read(place.offset, recordBytes(place));
      const now = this.#lookUp.place(current.kind, current.id);
      const moved: boolean = now !== undefined && !samePlace(now, place);
      // Gone or moved while it was fetched: what came says nothing about the record.
      if (bytes.length === recordBytes(place) || (now && !moved)) {
        return this.#open(found.wanted, bytes, true);
      }
      current = moved ? { ...current, place: now! } : undefined;
    }
    return undefined;
  }

  /** The plain body, or `undefined` after a report of damage. */
  #open(wanted: Wanted, bytes: Bytes, far = false): Bytes | undefined {
    const { kind, id, place } = wanted;
    if (!isRecordAt(bytes, 0, { ...place, kind, id })) return this.#damage(wanted);
    let body: Bytes;
    try {
      const stored = bytes.subarray(RECORD_HEADER_BYTES, recordBytes(place));
      body = openBody(
        { codec: place.codec, storedLength: place.stored, rawLength: place.raw },
        stored,
      );
    } catch (error) {
      if (!isKind(error, "corrupt")) throw error;
      return this.#damage(wanted);
    }
    return this.#names.fits(wanted, () => body, far) ? body : this.#damage(wanted);
  }

  #damage({ kind, id, place: { segment, offset, stored } }: Wanted): undefined {
    this.#options.onDamage?.({ kind, id, segment, offset, length: recordBytes({ stored }) });
    return undefined;
  }

  #guard<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw packError(error, "read", "a segment");
    }
  }
}
