/** The one writer of segments and packs. */
// size: the contract of the writer with its comments, and the class that is its one door
import type { GoingPack } from "../../core/cache.ts";
import type { ChunkSource } from "../../core/chunk_store.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { eachId } from "../../core/id_pages.ts";
import type { KnownBlobsWriter } from "../../core/known_blobs.ts";
import type { LateCheck } from "../../core/late_check.ts";
import type { DataKind, DataRecord, LogPort } from "../../core/record.ts";
import { closePack } from "./close.ts";
import { packCare } from "./care.ts";
import type { PackCare } from "./care.ts";
import { confirmDamage } from "./confirm_damage.ts";
import type { DamagedPlace } from "./damage.ts";
import { diskBytes, measure } from "./disk_bytes.ts";
import { packError } from "./errors.ts";
import { nextToGo } from "./evict.ts";
import { LazySync } from "./lazy_sync.ts";
import { lateCheck } from "./late_check.ts";
import { logPort } from "./log_port.ts";
import { openPack } from "./open.ts";
import type { PackWriterOptions } from "./options.ts";
import { reportFailure, roll } from "./pack.ts";
import type { Pack } from "./pack.ts";
import { pinRecords, unpinRecords } from "./pins.ts";
import type { PinnedRecord } from "./pins.ts";
import { openPackReader } from "./reader.ts";
import type { SharedStore } from "./reader_options.ts";
import { checkRoom, hasRoom, makeRoom, makeRoomAhead, neededBytes } from "./room.ts";
import { Rounds } from "./rounds.ts";
import type { PackTotals } from "./schema.ts";
import { sealFull } from "./seal.ts";
import { collectGarbage } from "./sweep.ts";
import type { Collected, CollectOptions } from "./sweep.ts";
import type { QuarantineRow } from "./tables.ts";
import { flushTouches, MAX_TOUCHES, noteTouches } from "./touches.ts";
import { admit, unwritten, writeHeld } from "./uploading.ts";
import { verifyAll } from "./verify.ts";
import type { Verified, VerifyOptions } from "./verify.ts";

/** Milliseconds that a use may wait before it is in the tables. */
const TOUCH_FLUSH_MS = 1000;

/**
 * Appends, commits and looks after records; one instance a store, on one thread. What it resolved
 * is on the disk (soon, with relaxed durability).
 */
export interface PackWriter extends AsyncDisposable {
  /**
   * Adds records to an upload, written but not durable. What is here already is held, not stored
   * again. Memory of bodies changes hands.
   * @throws {CacheError} `quota_exceeded`, `unavailable`; the upload can then only be aborted
   */
  append(upload: string, records: readonly DataRecord[]): Promise<void>;
  /**
   * Resolves when these records and all of the upload are durable, and every look-up sees them.
   * Ends the upload, also when it fails.
   * @throws {CacheError} `quota_exceeded`, `unavailable`
   */
  commitRecords(upload: string | undefined, records: readonly DataRecord[]): Promise<void>;
  /** Ends an upload and lets go what only it held. Safe for an unknown one. */
  abort(upload: string): Promise<void>;
  /**
   * Holds these records under a name: nothing evicts them until {@linkcode unpin}. Instead of what
   * the name held before. Tells whether all are here; if not, nothing has changed. In memory alone.
   */
  pin(name: string, records: readonly PinnedRecord[]): boolean;
  unpin(name: string): void;
  /** When a record was used last, milliseconds since 1970; `undefined` if it is not here. */
  usedAt(kind: DataKind, id: Bytes): number | undefined;
  /** Notes uses at `at` (milliseconds since 1970); written within a second, never waits. */
  touch(kind: DataKind, ids: readonly Bytes[], at: number): void;
  readonly log: LogPort;
  /** The check of large tables after an unclean stop. */
  readonly check: LateCheck;
  /**
   * Tells the table of every chunk that comes or goes from now on, and reads those that are here
   * into it, in small steps.
   */
  tell(known: KnownBlobsWriter, signal: AbortSignal): Promise<void>;
  /** Reads and checks all records. */
  verify(options?: VerifyOptions): Promise<Verified>;
  /** Removes what no root reaches, and rewrites packs that are mostly dead. */
  gc(options: CollectOptions): Promise<Collected>;
  /** Packs in the order in which they make room, at most so many. */
  nextToGo(limit: number): GoingPack[];
  stats(): PackTotals & { readonly open_uploads: number };
  /** Places that failed their check and were not replaced since. */
  damaged(): QuarantineRow[];
  /** Mending, and the scrub. */
  readonly care: PackCare;
  /** Forgets the damaged places: what fell with them was dropped on purpose. */
  forgetDamage(): void;
  /** Looks at a place that a reader found damaged; if it is, the record becomes a miss. */
  reportDamage(place: DamagedPlace): void;
  /** Commits rows that are open. @throws {CacheError} when the tables do not take them now */
  commitRows(): void;
  /** Writes all noted uses to the tables. */
  flushTouches(): void;
  /** Ends the active data segment now, and resolves when all that is full is sealed. */
  seal(): Promise<void>;
  /** For readers on this thread; the only way to read a store in memory. */
  readonly shared: SharedStore;
  /** Finishes what was begun and closes. Open uploads are gone. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Opens or makes a store for writing. That nobody else writes to the folder is the caller's
 * business (a lock). After an unclean stop the tails of segments are read again; without usable
 * tables, everything is found again from the packs.
 *
 * @throws {CacheError} `unsupported` when a newer program wrote it, `unavailable`,
 * `permission_denied`, `quota_exceeded`
 */
export async function openPackWriter(options: PackWriterOptions): Promise<PackWriter> {
  return new Writer(await openPack(options));
}

class Writer implements PackWriter {
  readonly #pack: Pack;
  readonly #rounds: Rounds;
  readonly #reader: ChunkSource;
  readonly #stop = new AbortController();
  readonly #lazySync: LazySync;
  #flusher: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly log: LogPort;
  readonly care: PackCare;
  readonly check: LateCheck;
  readonly shared: SharedStore;

  constructor(pack: Pack) {
    this.#pack = pack;
    this.#rounds = new Rounds(pack);
    const { db } = pack.tables;
    pack.tables.openRows = pack.options.openRows;
    this.shared = { db, files: pack.files };
    const { objects, counters } = pack.options;
    this.#reader = openPackReader({ store: { shared: this.shared }, objects, counters });
    this.check = lateCheck(pack);
    this.log = logPort(pack, this.#rounds);
    this.care = packCare(pack);
    pack.onFull = () => this.#sealSoon();
    this.#lazySync = new LazySync(pack);
    if (pack.tables.segments().some(({ state }) => state === "full")) this.#sealSoon();
  }

  async append(name: string, records: readonly DataRecord[]): Promise<void> {
    this.#assertOpen();
    const pack = this.#pack;
    const upload = pack.holdings.upload(name);
    try {
      if (upload.failed) throw upload.failed;
      for (const record of records) admit(pack, upload, record);
      const fresh = unwritten(pack, records);
      const bytes = neededBytes(fresh);
      let measured = measure(pack);
      if (bytes > 0 && !hasRoom(pack, bytes, measured)) {
        await makeRoom(pack, bytes);
        measured = measure(pack);
      }
      // Others may have written some of them while room was made.
      const still = unwritten(pack, fresh);
      checkRoom(pack, neededBytes(still), measured);
      if (pack.holdings.find(name) !== upload) throw ended(name);
      if (upload.failed) throw upload.failed;
      if (still.length === 0) return;
      writeHeld(pack, still, "append.before_write");
      pack.fault("append.after_write");
    } catch (thrown) {
      throw upload.failed ??= packError(thrown, "append", `to upload "${name}"`);
    }
  }

  async commitRecords(upload: string | undefined, records: readonly DataRecord[]): Promise<void> {
    this.#assertOpen();
    await this.#rounds.commit(upload, records);
  }

  async abort(name: string): Promise<void> {
    const upload = this.#pack.holdings.find(name);
    if (upload) this.#pack.holdings.end(upload);
  }

  pin(name: string, records: readonly PinnedRecord[]): boolean {
    return pinRecords(this.#pack, name, records);
  }
  unpin(name: string): void {
    unpinRecords(this.#pack, name);
  }
  usedAt(kind: DataKind, id: Bytes): number | undefined {
    const row = this.#pack.tables.find(kind, id);
    return row && row.used * 1000;
  }

  touch(kind: DataKind, ids: readonly Bytes[], at: number): void {
    const { touches } = this.#pack;
    noteTouches(touches, kind, { ids, at });
    if (touches.size >= MAX_TOUCHES) this.#flushQuietly();
    else if (!this.#closing) this.#flusher ??= this.#flushLater();
  }

  flushTouches(): void {
    try {
      flushTouches(this.#pack);
    } catch (error) {
      throw packError(error, "write", "uses of records");
    }
  }

  commitRows(): void {
    try {
      if (this.#pack.tables.db.isOpen) this.#pack.tables.commit();
    } catch (error) {
      throw packError(error, "commit", "rows of records");
    }
  }

  tell(known: KnownBlobsWriter, signal: AbortSignal): Promise<void> {
    const { tables } = this.#pack;
    tables.known = known;
    return eachId((after, limit) => tables.chunkIds(after, limit), {
      visit: (id) => known.learnLocated(id),
      signal,
    });
  }

  async verify(options: VerifyOptions = {}): Promise<Verified> {
    this.#assertOpen();
    return await this.#translated("verify", () => verifyAll(this.#pack, options));
  }

  async gc(options: CollectOptions): Promise<Collected> {
    this.#assertOpen();
    const collected = await this.#translated(
      "collect",
      () => collectGarbage(this.#pack, this.#reader, options),
    );
    this.#sealSoon();
    return collected;
  }

  nextToGo(limit: number): GoingPack[] {
    return nextToGo(this.#pack).slice(0, limit).map(({ pack: { name, size, alive }, reason }) => {
      return { pack: name, bytes: size, alive, reason };
    });
  }

  stats(): PackTotals & { open_uploads: number } {
    const { tables, holdings } = this.#pack;
    return { ...tables.totals, disk_bytes: diskBytes(this.#pack), open_uploads: holdings.open };
  }

  damaged(): QuarantineRow[] {
    return this.#pack.tables.quarantined();
  }

  forgetDamage(): void {
    const { tables } = this.#pack;
    const segments = new Set(tables.quarantined().map((row) => row.segment));
    tables.transaction(() => {
      for (const segment of segments) tables.forgetQuarantine(segment);
    });
  }

  reportDamage(place: DamagedPlace): void {
    confirmDamage(this.#pack, place).catch((error) => {
      reportFailure(this.#pack, "quarantine", packError(error, "check", "a damaged record"));
    });
  }

  async seal(): Promise<void> {
    this.#assertOpen();
    await this.#translated("seal", async () => {
      const { data, log } = this.#pack.active;
      if (!data.empty) roll(this.#pack, "data");
      if (!log.empty) roll(this.#pack, "log");
      await this.#pack.jobs.idle();
    });
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const pack = this.#pack;
    this.#stop.abort();
    await this.#flusher;
    await this.#rounds.idle();
    await this.#lazySync.close();
    await pack.jobs.close();
    await this.#reader[Symbol.asyncDispose]();
    this.#flushQuietly();
    closePack(pack);
  }

  #sealSoon(): void {
    if (this.#closing) return;
    const { jobs } = this.#pack;
    jobs.run(() => sealFull(this.#pack)).catch((error) => {
      reportFailure(this.#pack, "seal", toCacheError(error, "pack.seal"));
    });
    jobs.run(() => makeRoomAhead(this.#pack)).catch((error) => {
      reportFailure(this.#pack, "making room", packError(error, "make", "room"));
    });
  }

  async #flushLater(): Promise<void> {
    try {
      await this.#pack.options.clock.sleep(TOUCH_FLUSH_MS, this.#stop.signal);
    } catch {
      // The store is being closed, which flushes once more itself.
      return;
    } finally {
      this.#flusher = undefined;
    }
    this.#flushQuietly();
  }

  #flushQuietly(): void {
    try {
      flushTouches(this.#pack);
    } catch (error) {
      // They wait for the next time; on a full disk they may not grow without end.
      if (this.#pack.touches.size >= MAX_TOUCHES) this.#pack.touches.clear();
      reportFailure(this.#pack, "touch", packError(error, "write", "uses of records"));
    }
  }

  async #translated<T>(verb: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw packError(error, verb, "the store");
    }
  }

  #assertOpen(): void {
    if (!this.#closing) return;
    throw new CacheError("unavailable", "Cannot write: the store is closed", {
      operation: "pack.write",
    });
  }
}

function ended(name: string): CacheError {
  return new CacheError("conflict", `Cannot append to upload "${name}": it was ended meanwhile`, {
    operation: "pack.append",
  });
}
