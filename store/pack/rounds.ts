/** Group commit: everything that waits is made durable together. */
import { place, plainStored, seconds, sync } from "./pack.ts";
import type { Pack } from "./pack.ts";
import { packError } from "./errors.ts";
import type { Holding, Upload } from "./holdings.ts";
import { CacheError } from "../../core/errors.ts";
import type { DataRecord, LogPosition, LogRecord } from "../../core/record.ts";
import { recordBytes, recordKey } from "./places.ts";
import { checkLogRoom, checkRoom, hasRoom, makeRoom, neededBytes } from "./room.ts";
import { diskBytes } from "./disk_bytes.ts";

interface CommitRequest {
  readonly upload: string | undefined;
  readonly records: readonly DataRecord[];
  readonly resolve: () => void;
  readonly reject: (error: CacheError) => void;
}

interface LogRequest {
  readonly records: readonly LogRecord[];
  readonly resolve: (position: LogPosition) => void;
  readonly reject: (error: CacheError) => void;
}

/**
 * Takes requests and works in rounds: one write and one `fdatasync` for each file, then one
 * transaction, then all are acknowledged. While the disk works, the next round gathers.
 */
export class Rounds {
  readonly #pack: Pack;
  #commits: CommitRequest[] = [];
  #logs: LogRequest[] = [];
  #running = false;
  #logHeld = false;

  constructor(pack: Pack) {
    this.#pack = pack;
  }

  /** Resolves when the records of the upload, and these, are durable and have rows. */
  commit(upload: string | undefined, records: readonly DataRecord[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#commits.push({ upload, records, resolve, reject });
    this.#start();
    return promise;
  }

  /** Resolves with the position behind the records when they are durable. */
  log(records: readonly LogRecord[]): Promise<LogPosition> {
    const { promise, resolve, reject } = Promise.withResolvers<LogPosition>();
    this.#logs.push({ records, resolve, reject });
    this.#start();
    return promise;
  }

  /** Keeps log requests waiting while `work` runs. */
  async withoutLog<T>(work: () => Promise<T>): Promise<T> {
    this.#logHeld = true;
    try {
      return await work();
    } finally {
      this.#logHeld = false;
      this.#start();
    }
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running) await new Promise((resolve) => setImmediate(resolve));
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    // Not a microtask: requests of other threads are messages, and those that arrived while the
    // last round kept this thread busy must be taken in first, or every round would hold one.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (true) {
      const commits = this.#commits;
      const logs = this.#logHeld ? [] : this.#logs;
      if (commits.length + logs.length === 0) break;
      this.#commits = [];
      if (!this.#logHeld) this.#logs = [];
      try {
        await this.#round(commits, logs);
      } catch (thrown) {
        // Nothing in a round should get here; whoever waits must hear of it all the same.
        const error = packError(thrown, "commit", "records");
        for (const request of [...commits, ...logs]) request.reject(error);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#running = false;
    // What came between the last look and now has seen `#running` and did not start a round.
    if (this.#commits.length > 0 || (this.#logs.length > 0 && !this.#logHeld)) this.#start();
  }

  async #round(commits: readonly CommitRequest[], logs: readonly LogRequest[]): Promise<void> {
    const pack = this.#pack;
    const bytes = neededBytes([...commits, ...logs].flatMap((request) => [...request.records]));
    if (!hasRoom(pack, bytes)) {
      // Each request is checked by itself below: a small one may fit where all together do not.
      await makeRoom(pack, bytes).catch((error) => {
        if (!(error instanceof CacheError) || error.kind !== "quota_exceeded") throw error;
      });
    }
    const heard: Heard[] = commits.map((request) => hear(pack, request));
    write(pack, heard);
    // A commit that makes room by itself would wait here; from now on nothing waits.
    syncData(pack, heard);
    const positions = writeLog(pack, logs);
    apply(pack, heard);
    pack.fault("commit.after_tables");
    for (const { request, upload } of heard) {
      const { failed } = upload;
      pack.holdings.end(upload);
      if (failed) request.reject(failed);
      else request.resolve();
    }
    for (const [request, outcome] of positions) {
      if (outcome instanceof CacheError) request.reject(outcome);
      else request.resolve(outcome);
    }
  }
}

/** A request with the upload it ends. */
interface Heard {
  readonly request: CommitRequest;
  readonly upload: Upload;
}

function hear(pack: Pack, request: CommitRequest): Heard {
  const upload = pack.holdings.upload(request.upload);
  for (const record of request.records) admit(pack, upload, record);
  return { request, upload };
}

/** Lets an upload hold a record, without writing it. */
export function admit(pack: Pack, upload: Upload, record: DataRecord): Holding {
  const hasRow = () => pack.tables.find(record.kind, record.id) !== undefined;
  return pack.holdings.hold(upload, record, hasRow);
}

/** The records of a list that stand nowhere yet, each once. */
export function unwritten(upload: Upload, records: readonly DataRecord[]): DataRecord[] {
  const seen = new Set<string>();
  return records.filter((record) => {
    const key = recordKey(record.kind, record.id);
    if (upload.held.get(key)?.state !== "new" || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Writes records and notes where their holdings stand. */
export function writeHeld(
  pack: Pack,
  records: readonly (readonly [Upload, DataRecord])[],
  before: "append.before_write" | "commit.before_write",
): void {
  const stored = records.map(([, record]) => plainStored(record));
  const places = place(pack, stored, { area: "data", before });
  records.forEach(([upload, { kind, id }], i) => {
    const holding = upload.held.get(recordKey(kind, id))!;
    holding.state = "pending";
    holding.place = places[i]!;
  });
}

function write(pack: Pack, heard: readonly Heard[]): void {
  const all: [Upload, DataRecord][] = [];
  const seen = new Set<string>();
  for (const { upload, request } of heard) {
    if (upload.failed) continue;
    const fresh = unwritten(upload, request.records);
    try {
      checkRoom(pack, neededBytes([...all.map(([, record]) => record), ...fresh]));
    } catch (error) {
      upload.failed = packError(error, "commit", "records");
      continue;
    }
    for (const record of fresh) {
      const key = recordKey(record.kind, record.id);
      if (!seen.has(key)) all.push([upload, record]);
      seen.add(key);
    }
  }
  if (all.length === 0) return;
  try {
    writeHeld(pack, all, "commit.before_write");
  } catch {
    // Not swallowed: each is written again by itself, so that exactly those fail that must.
    for (const { upload, request } of heard) writeAlone(pack, upload, request);
  }
  pack.fault("commit.after_write");
}

function writeAlone(pack: Pack, upload: Upload, request: CommitRequest): void {
  if (upload.failed) return;
  try {
    const fresh = unwritten(upload, request.records).map((record) => [upload, record] as const);
    if (fresh.length > 0) writeHeld(pack, fresh, "commit.before_write");
  } catch (error) {
    upload.failed = packError(error, "commit", "records");
  }
}

function syncData(pack: Pack, heard: readonly Heard[]): void {
  const segment = pack.active.data;
  const waits = heard.some(({ upload }) => {
    for (const { state, place } of upload.held.values()) {
      if (state === "pending" && place!.segment === segment.number) return true;
    }
    return false;
  });
  if (!waits) return;
  try {
    sync(pack, "data");
    pack.fault("commit.after_sync");
  } catch (error) {
    // `sync` has failed the uploads that lost something; a fault behind it fails all.
    for (const { upload } of heard) {
      if (!upload.failed && hasNew(upload)) upload.failed = packError(error, "commit", "records");
    }
  }
}

function hasNew(upload: Upload): boolean {
  for (const { state } of upload.held.values()) if (state === "new") return true;
  return false;
}

function writeLog(
  pack: Pack,
  logs: readonly LogRequest[],
): Map<LogRequest, LogPosition | CacheError> {
  const outcome = new Map<LogRequest, LogPosition | CacheError>();
  const accepted = logs.filter((request) => {
    try {
      checkLogRoom(pack, neededBytes(request.records));
      return true;
    } catch (error) {
      outcome.set(request, packError(error, "append", "log records"));
      return false;
    }
  });
  if (accepted.length === 0) return outcome;
  try {
    placeLog(pack, accepted, outcome);
  } catch {
    // Not swallowed: one by one again, so that exactly those fail that must.
    for (const request of accepted) {
      try {
        placeLog(pack, [request], outcome);
      } catch (error) {
        outcome.set(request, packError(error, "append", "log records"));
      }
    }
  }
  try {
    pack.fault("log.after_write");
    sync(pack, "log");
    pack.fault("log.after_sync");
  } catch (thrown) {
    const error = packError(thrown, "append", "log records");
    for (const request of accepted) outcome.set(request, error);
  }
  return outcome;
}

function placeLog(
  pack: Pack,
  requests: readonly LogRequest[],
  outcome: Map<LogRequest, LogPosition | CacheError>,
): void {
  const records = requests.flatMap((request) => request.records.map(plainStored));
  const options = { area: "log", together: true, before: "log.before_write" } as const;
  const places = place(pack, records, options);
  let next = 0;
  for (const request of requests) {
    next += request.records.length;
    const last = places[next - 1];
    const { active: { log } } = pack;
    outcome.set(
      request,
      last
        ? { segment: last.segment, offset: last.offset + recordBytes(last) }
        : { segment: log.number, offset: log.end },
    );
  }
}

/** Makes the rows of all that is durable. */
function apply(pack: Pack, heard: readonly Heard[]): void {
  const { tables, active } = pack;
  const used = seconds(pack);
  const kept: Holding[] = [];
  try {
    pack.fault("commit.before_tables");
    tables.transaction(() => {
      for (const { upload } of heard) {
        if (upload.failed) continue;
        for (const holding of upload.held.values()) {
          if (holding.state === "pending") {
            tables.insert({ ...holding.place!, kind: holding.kind, id: holding.id, used });
            kept.push(holding);
          } else tables.use(holding.kind, holding.id, used);
        }
      }
      for (const { number, synced } of [active.data, active.log]) {
        tables.setSegment(number, { state: "active", size: synced, applied: synced });
      }
      tables.setDiskBytes(diskBytes(pack));
      pack.fault("commit.in_tables");
    });
    for (const holding of kept) {
      holding.state = "kept";
      holding.place = undefined;
    }
  } catch (thrown) {
    const error = packError(thrown, "commit", "rows of records");
    for (const { upload } of heard) upload.failed ??= error;
  }
}
