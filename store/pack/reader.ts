/** Reads records from segments and packs; one instance a thread. */
import { DatabaseSync } from "node:sqlite";
import { openBody } from "../../codec/record.ts";
import { abortable, throwIfAborted } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { ChunkSource } from "../../core/chunk_store.ts";
import type { Counters } from "../../core/counters.ts";
import type { Bytes } from "../../core/digest.ts";
import { sha256, toHex } from "../../core/digest.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import type { DataKind } from "../../core/record.ts";
import type { ScrubStatus } from "../../core/scrub.ts";
import { Descriptors } from "./descriptors.ts";
import type { PinnedSegment } from "./descriptors.ts";
import type { DamagedPlace } from "./damage.ts";
import { packError } from "./errors.ts";
import { LookUp } from "./look_up.ts";
import { recordBytes, recordKey, samePlace } from "./places.ts";
import type { Place } from "./places.ts";
import { planRuns, runBytes } from "./runs.ts";
import type { Run, Wanted } from "./runs.ts";
import { readTotals, TABLES_FILE } from "./schema.ts";
import type { PackTotals } from "./schema.ts";
import { readScrub } from "./scrub.ts";
import { checkRecord } from "./segment_bytes.ts";
import { folderSegmentFiles } from "./segment_files.ts";
import type { SegmentFiles } from "./segment_files.ts";

/** What a writer without a folder shares with readers of its own thread. */
export interface SharedStore {
  readonly db: DatabaseSync;
  readonly files: SegmentFiles;
}

/** Options of {@linkcode openPackReader}. */
export interface PackReaderOptions {
  /** The folder that a writer has open, or what a writer in memory shares. */
  readonly store: { readonly dir: string } | { readonly shared: SharedStore };
  /** Where sealed packs are. Not owned. */
  readonly objects: ObjectStore;
  readonly counters: Counters;
  /**
   * When SHA-256 of a chunk is compared with its id, besides CRC-32: `auto` on its first read after
   * an unclean stop and whenever it comes from a far medium. Default: `auto`.
   */
  readonly verify?: "auto" | "always" | undefined;
  /** Hears of places that failed their check, to hand them to the writer. */
  readonly onDamage?: ((place: DamagedPlace) => void) | undefined;
}

/** A {@linkcode ChunkSource} over segments and packs. */
export interface PackReader extends ChunkSource {
  /** Gives up segments that are about to be deleted, each as soon as nobody reads it. */
  retire(segments: readonly number[]): void;
  totals(): PackTotals;
  /** What is known of the scrub; `undefined` before its first step. */
  scrub(): ScrubStatus | undefined;
}

/** Chunks that are known to be whole by SHA-256, before the memory of them starts anew. */
const MAX_VERIFIED = 65_536;

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
  readonly #verified: Set<string> | undefined;
  readonly #close: () => void;
  #closed = false;

  constructor(options: PackReaderOptions, shared: SharedStore, close: () => void) {
    this.#options = options;
    this.#db = shared.db;
    this.#lookUp = new LookUp(shared.db);
    this.#descriptors = new Descriptors({ files: shared.files, objects: options.objects });
    this.#close = close;
    this.#verified = this.#lookUp.uncleanStart() ? new Set() : undefined;
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

  async *readAll(
    kind: DataKind,
    ids: readonly Bytes[],
    options: SignalOptions = {},
  ): AsyncIterable<Bytes> {
    using pins = new DisposableStack();
    const held = new Map<number, PinnedSegment>();
    const plan = planRuns(ids, (id) => {
      // All places are looked up, and their segments held, before the first byte is handed out:
      // what is evicted meanwhile is still read to its end.
      const found = this.#find({ kind, id });
      if (!found) return undefined;
      const { segment } = found.wanted.place;
      if (held.has(segment)) found.pinned[Symbol.dispose]();
      else held.set(segment, pins.use(found.pinned));
      return { ...found.wanted, local: found.pinned.bytes.local };
    }, runBytes(this.#options.counters.get("answer_bytes")));
    for (const run of plan) {
      throwIfAborted(options.signal);
      if ("missing" in run) throw notHere(kind, run.missing);
      if (!run.local) {
        for (const wanted of run.records) {
          const body = await abortable(this.#readFar(wanted), options.signal);
          if (!body) throw notHere(kind, wanted.id);
          yield body;
        }
        continue;
      }
      const pinned = held.get(run.segment)!;
      yield* this.#readRun(run, pinned);
    }
  }

  losses(): number {
    return this.#options.counters.get("losses");
  }
  totals(): PackTotals {
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

  /** A record's place with its segment held; `undefined` if it is not here. */
  #find(
    record: Pick<Wanted, "kind" | "id">,
  ): { wanted: Wanted; pinned: PinnedSegment } | undefined {
    let before: Place | undefined;
    // Between the look at the tables and the opening of the file, the segment may be sealed, or the
    // record may move: the tables then say something else, so they are asked once more.
    for (let attempt = 0; attempt < 3; attempt++) {
      const place = this.#lookUp.place(record.kind, record.id);
      if (!place) return undefined;
      const wanted = { ...record, place };
      const open = this.#descriptors.find(place.segment);
      if (open) return { wanted, pinned: open };
      const segment = this.#lookUp.segment(place.segment);
      const pinned = segment && this.#descriptors.open(segment);
      if (pinned) return { wanted, pinned };
      before = place;
    }
    if (before) this.#damage({ ...record, place: before });
    return undefined;
  }

  *#readRun(run: Run, pinned: PinnedSegment): Generator<Bytes> {
    const all = this.#guard(() => pinned.bytes.read(run.offset, run.length)) as Bytes;
    for (const wanted of run.records) {
      const at = wanted.place.offset - run.offset;
      const body = this.#open(wanted, all.subarray(at, at + recordBytes(wanted.place)));
      if (!body) throw notHere(wanted.kind, wanted.id);
      yield body;
    }
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
    const checked = checkRecord(bytes, { ...place, kind, id });
    if (!checked) return this.#damage(wanted);
    let body: Bytes;
    try {
      body = openBody(checked.header, checked.stored);
    } catch (error) {
      if (!isKind(error, "corrupt")) throw error;
      return this.#damage(wanted);
    }
    return this.#isNamed(wanted, body, far) ? body : this.#damage(wanted);
  }

  #isNamed({ kind, id }: Wanted, body: Bytes, far: boolean): boolean {
    if (kind !== "chunk") return true;
    if (far || this.#options.verify === "always") return equalBytes(sha256(body), id);
    if (!this.#verified) return true;
    const key = recordKey(kind, id);
    if (this.#verified.has(key)) return true;
    if (!equalBytes(sha256(body), id)) return false;
    if (this.#verified.size >= MAX_VERIFIED) this.#verified.clear();
    this.#verified.add(key);
    return true;
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

function notHere(kind: DataKind, id: Bytes): CacheError {
  return new CacheError(
    "corrupt",
    `Cannot read ${kind} ${toHex(id).slice(0, 12)}: it is not here`,
    {
      operation: "pack.read",
    },
  );
}
