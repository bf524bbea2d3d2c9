/** The log: entries, tombstones, pins and visibility, in order, never evicted. */
import { encodeHeader, openBody } from "../../codec/record.ts";
import { scanRecords } from "../../codec/record_scan.ts";
import { SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import type { LogPort, LogPosition, LogRecord } from "../../core/record.ts";
import { ActiveSegment, createSegmentFile, newSegmentName } from "./active.ts";
import { noteDamage } from "./damage.ts";
import { deleteDropped } from "./drop.ts";
import { packError } from "./errors.ts";
import { evictOne } from "./evict.ts";
import { breathe } from "./jobs.ts";
import { localCopy } from "./local_copy.ts";
import { plainStored, sizeOf } from "./pack.ts";
import type { Pack } from "./pack.ts";
import type { SegmentRow } from "./places.ts";
import { hasRoom } from "./room.ts";
import type { Rounds } from "./rounds.ts";
import { segmentFileName } from "./segment_files.ts";

/** Bytes of records that are gathered for one write of a compaction. */
const WRITE_BYTES = 1024 * 1024;

/** The log of a pack writer. */
export function logPort(pack: Pack, rounds: Rounds): LogPort {
  return {
    append: (records) => rounds.log(records),
    scan: (after) => scanLog(pack, after),
    end: () => logEnd(pack),
    compact: (records) => rounds.withoutLog(() => pack.jobs.run(() => compactLog(pack, records))),
  };
}

function logEnd(pack: Pack): LogPosition {
  return { segment: pack.active.log.number, offset: pack.active.log.accepted };
}

async function* scanLog(
  pack: Pack,
  after: LogPosition | undefined,
): AsyncIterable<{ record: LogRecord; position: LogPosition }> {
  const home = { files: pack.files, objects: pack.options.objects };
  for (const { number } of pack.tables.segments("log")) {
    if (after && number < after.segment) continue;
    // It may have been sealed while the one before was read.
    const segment = pack.tables.segment(number);
    if (!segment || segment.state === "dropping" || segment.state === "building") continue;
    using copy = await localCopy(home, segment);
    if (!copy) {
      // What else is in the log still counts.
      noteDamage(pack, { segment: number, offset: 0, length: segment.size });
      continue;
    }
    const from = after?.segment === number ? after.offset : SEGMENT_HEADER_BYTES;
    yield* recordsOfLog(pack, segment, { read: copy.read, from });
  }
}

function* recordsOfLog(
  pack: Pack,
  segment: SegmentRow,
  options: { read: (offset: number, length: number) => Uint8Array<ArrayBuffer>; from: number },
): Generator<{ record: LogRecord; position: LogPosition }> {
  const active = pack.active.log.number === segment.number;
  const end = active ? pack.active.log.accepted : segment.applied;
  for (
    const event of scanRecords(options.read, Math.max(options.from, SEGMENT_HEADER_BYTES), end)
  ) {
    if (event.type !== "record") {
      const { offset, length } = event;
      if (length > 0) noteDamage(pack, { segment: segment.number, offset, length });
      continue;
    }
    const { kind, id, storedLength } = event.header;
    if (kind === "chunk" || kind === "recipe" || kind === "tree") continue;
    const body = new Uint8Array(openBody(event.header, event.stored));
    const offset = event.offset + sizeOf({ stored: { length: storedLength } });
    yield { record: { kind, id, body }, position: { segment: segment.number, offset } };
  }
}

/**
 * Replaces all log segments by one with these records. It is whole and durable, under a name that
 * a start ignores, before it gets its real name; the old segments go afterwards, the oldest first:
 * whatever is left of them after a crash never brings back what a later one of them took away.
 */
async function compactLog(
  pack: Pack,
  records: Iterable<LogRecord>,
): Promise<LogPosition> {
  const created = pack.options.clock.now();
  const identity = {
    ...newSegmentName(created),
    number: pack.nextNumber++,
    area: "log",
    created,
  } as const;
  const temporary = `${identity.name}.tmp`;
  // Bytes of the new log that count among the rest until it is the active one.
  let counted = 0;
  try {
    const file = createSegmentFile(pack.files, identity, temporary);
    let end = SEGMENT_HEADER_BYTES;
    try {
      let parts: Uint8Array[] = [];
      let bytes = 0;
      const flush = async () => {
        // In small steps, since this is a job that others wait for to make room. Without any more
        // to be made it goes on: afterwards there is.
        while (!hasRoom(pack, bytes) && await evictOne(pack));
        pack.fault("log_compact.before_write");
        file.write(parts, end);
        end += bytes;
        pack.restBytes += bytes;
        counted += bytes;
        [parts, bytes] = [[], 0];
      };
      for (const record of records) {
        const stored = plainStored(record);
        parts.push(encodeHeader(stored), stored.stored);
        bytes += sizeOf(stored);
        if (bytes < WRITE_BYTES) continue;
        await flush();
        await breathe();
      }
      await flush();
      pack.fault("log_compact.before_sync");
      file.sync();
      const old = replaceLog(pack, new ActiveSegment(identity, file, end), temporary);
      pack.restBytes -= counted;
      counted = 0;
      for (const segment of old) await deleteDropped(pack, segment);
      return { segment: identity.number, offset: end };
    } catch (error) {
      if (pack.active.log.number !== identity.number) file.close();
      throw error;
    }
  } catch (error) {
    pack.restBytes -= counted;
    if (pack.active.log.number !== identity.number) {
      pack.files.remove(temporary);
      pack.files.remove(segmentFileName(identity.name));
    }
    throw packError(error, "compact", "the log");
  }
}

function replaceLog(pack: Pack, next: ActiveSegment, temporary: string): SegmentRow[] {
  const { tables, active } = pack;
  const { identity, end } = next;
  pack.fault("log_compact.before_rename");
  pack.files.rename(temporary, segmentFileName(identity.name));
  pack.fault("log_compact.before_tables");
  const old = tables.segments("log").filter(({ state }) => state !== "dropping");
  tables.transaction(() => {
    tables.addSegment({ ...identity, state: "active", size: end, applied: end });
    for (const { number, size, applied } of old) {
      tables.setSegment(number, { state: "dropping", size, applied });
    }
  }, { durable: true });
  const last = active.log;
  pack.restBytes += last.end;
  last.close();
  active.log = next;
  pack.fault("log_compact.after_tables");
  return old.map((row) => row.number === last.number ? { ...row, size: last.end } : row);
}
