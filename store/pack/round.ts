/** One round of the group commit. */
import { CacheError } from "../../core/errors.ts";
import type { DataRecord } from "../../core/record.ts";
import { diskBytes, measure } from "./disk_bytes.ts";
import { packError } from "./errors.ts";
import type { Holding, Upload } from "./holdings.ts";
import { seconds, settle } from "./pack.ts";
import type { Pack } from "./pack.ts";
import { recordKey } from "./places.ts";
import { checkRoom, hasRoom, makeRoom, neededBytes } from "./room.ts";
import { writeLog } from "./round_log.ts";
import type { LogRequest } from "./round_log.ts";
import { admit, unwritten, writeHeld } from "./uploading.ts";

/** A commit that waits for its round. */
export interface CommitRequest {
  readonly upload: string | undefined;
  readonly records: readonly DataRecord[];
  readonly resolve: () => void;
  readonly reject: (error: CacheError) => void;
}

/**
 * Makes all of these durable and acknowledges them: one write and one sync for each file, then one
 * transaction. Each request fails by itself, and its upload ends whatever becomes of it.
 */
export async function runRound(
  pack: Pack,
  commits: readonly CommitRequest[],
  logs: readonly LogRequest[],
): Promise<void> {
  const bytes = neededBytes([...commits, ...logs].flatMap((request) => [...request.records]));
  // The log's part of a put follows its data at once: what was measured for that is near enough.
  let measured = (commits.length === 0 ? pack.lastMeasured : undefined) ?? measure(pack);
  pack.lastMeasured = commits.length > 0 ? measured : undefined;
  if (!hasRoom(pack, bytes, measured)) {
    // Not swallowed: each request is checked by itself below, and a small one may fit where all
    // together do not.
    await makeRoom(pack, bytes).catch((error) => {
      if (!(error instanceof CacheError)) throw error;
    });
    measured = measure(pack);
  }
  // From here on nothing waits: the state of the store does not change under the round.
  pack.measured = measured;
  try {
    work(pack, commits, logs);
  } finally {
    pack.measured = undefined;
  }
}

/** What a round does in one turn, once there is room for it. */
function work(
  pack: Pack,
  commits: readonly CommitRequest[],
  logs: readonly LogRequest[],
): void {
  const heard = commits.map((request) => hear(pack, request));
  write(pack, heard);
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

/** A request with the upload it ends. */
interface Heard {
  readonly request: CommitRequest;
  readonly upload: Upload;
}

function hear(pack: Pack, request: CommitRequest): Heard {
  const upload = pack.holdings.upload(request.upload);
  try {
    for (const record of request.records) admit(pack, upload, record);
  } catch (error) {
    upload.failed ??= packError(error, "look up", "records");
  }
  return { request, upload };
}

function write(pack: Pack, heard: readonly Heard[]): void {
  const all: DataRecord[] = [];
  const seen = new Set<string>();
  let bytes = 0;
  for (const { upload, request } of heard) {
    if (upload.failed) continue;
    const fresh = unwritten(pack, request.records);
    try {
      checkRoom(pack, bytes + neededBytes(fresh));
    } catch (error) {
      upload.failed = packError(error, "commit", "records");
      continue;
    }
    for (const record of fresh) {
      const key = recordKey(record.kind, record.id);
      if (seen.has(key)) continue;
      seen.add(key);
      all.push(record);
      bytes += neededBytes([record]);
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
    const fresh = unwritten(pack, request.records);
    if (fresh.length > 0) writeHeld(pack, fresh, "commit.before_write");
  } catch (error) {
    upload.failed = packError(error, "commit", "records");
  }
}

function syncData(pack: Pack, heard: readonly Heard[]): void {
  const segment = pack.active.data;
  const waits = heard.some(({ upload }) => {
    return some(pack.holdings.of(upload), (holding) => holding.waitsIn(segment.number));
  });
  if (!waits) return;
  try {
    settle(pack, "data");
    pack.fault("commit.after_sync");
  } catch (error) {
    // `sync` has failed the uploads that lost something; a fault behind it fails all.
    for (const { upload } of heard) {
      if (!upload.failed && hasNew(pack, upload)) {
        upload.failed = packError(error, "commit", "records");
      }
    }
  }
}

function hasNew({ holdings }: Pack, upload: Upload): boolean {
  return some(holdings.of(upload), ({ state }) => state === "new");
}

function some<T>(all: Iterable<T>, good: (one: T) => boolean): boolean {
  for (const one of all) if (good(one)) return true;
  return false;
}

/** Makes the rows of all that is durable. */
function apply(pack: Pack, heard: readonly Heard[]): void {
  const { tables, active } = pack;
  const used = seconds(pack);
  const kept: Holding[] = [];
  const applied = tables.segment(active.data.number)?.applied ?? 0;
  const durable = heard.some(({ upload }) => !upload.failed && isBehind(pack, upload, applied));
  try {
    pack.fault("commit.before_tables");
    tables.transaction(() => {
      for (const { upload } of heard) {
        if (upload.failed) continue;
        for (const holding of pack.holdings.of(upload)) {
          if (holding.state === "pending") {
            tables.insert({ ...holding.place, kind: holding.kind, id: holding.id, used });
            kept.push(holding);
          } else tables.use(holding.kind, holding.id, used);
        }
      }
      for (const { number, synced } of [active.data, active.log]) {
        tables.setSegment(number, { state: "active", size: synced, applied: synced });
      }
      tables.setDiskBytes(diskBytes(pack));
      pack.fault("commit.in_tables");
    }, { durable, adds: !durable });
    for (const holding of kept) holding.state = "kept";
  } catch (thrown) {
    const error = packError(thrown, "commit", "rows of records");
    for (const { upload } of heard) upload.failed ??= error;
  }
}

/**
 * Whether a record of this upload stands where no start looks for it any more: in a segment that
 * was ended since it was written, or before what the tables say they know of the active one. Its
 * row must reach the disk before it is acknowledged; all others are found again by a replay.
 */
function isBehind({ active, holdings }: Pack, upload: Upload, applied: number): boolean {
  return some(
    holdings.of(upload),
    (holding) => holding.state === "pending" && !holding.waitsIn(active.data.number, applied),
  );
}
