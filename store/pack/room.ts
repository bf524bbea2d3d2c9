/** Is there room, and if not, who has to go. */
import { FOOTER_ROW_BYTES } from "../../codec/footer.ts";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import { CacheError } from "../../core/errors.ts";
import type { PlainRecord } from "../../core/record.ts";
import { formatSize } from "../../core/units.ts";
import { diskBytes, measure } from "./disk_bytes.ts";
import type { Measured } from "./disk_bytes.ts";
import { packError } from "./errors.ts";
import { evictOne } from "./evict.ts";
import { reserveOf } from "./options.ts";
import { roll } from "./pack.ts";
import type { Pack } from "./pack.ts";

/** The log may grow past the limit by this share, so that a full store can still delete. */
const LOG_GRACE = 0.02;

/** The share of the limit that is kept free for what comes next, at most one segment. */
const AHEAD_SHARE = 1 / 32;

/** Bytes that these records will take, with their rows in a footer. */
export function neededBytes(records: readonly Pick<PlainRecord, "body">[]): number {
  let bytes = 0;
  for (const { body } of records) bytes += body.length + RECORD_HEADER_BYTES + FOOTER_ROW_BYTES;
  return bytes;
}

/** Whether so many bytes may be written now. */
export function hasRoom(
  pack: Pack,
  bytes: number,
  measured = pack.measured ?? measure(pack),
): boolean {
  return deficit(pack, bytes, measured) <= 0;
}

/** @throws {CacheError} `quota_exceeded` when so many bytes may not be written now */
export function checkRoom(pack: Pack, bytes: number, measured?: Measured): void {
  if (bytes > 0 && !hasRoom(pack, bytes, measured)) throw noRoom(pack, bytes);
}

/** The same for log records, which may go a little further. */
export function checkLogRoom(pack: Pack, bytes: number): void {
  const grace = (pack.options.maxSize ?? 0) * LOG_GRACE;
  if (deficit(pack, bytes, pack.measured ?? measure(pack)) > grace) throw noRoom(pack, bytes);
}

/**
 * Evicts until so many bytes fit.
 * @throws {CacheError} `quota_exceeded` when nothing more can go
 */
export async function makeRoom(pack: Pack, bytes: number): Promise<void> {
  let stuck = 0;
  while (!hasRoom(pack, bytes)) {
    if (bytes > (pack.options.maxSize ?? Infinity)) throw noRoom(pack, bytes);
    const freed = await pack.jobs.run(() => hasRoom(pack, bytes) || evictOne(pack))
      .catch((error) => {
        throw packError(error, "make", "room");
      });
    if (freed) {
      stuck = 0;
      continue;
    }
    // The active segment can not go while it is active. Once more after that, then give up.
    if (++stuck > 1 || pack.active.data.empty) throw noRoom(pack, bytes);
    endActive(pack);
    await pack.jobs.idle();
  }
}

/**
 * Evicts before anybody has to wait for it, until there is a little more room than is needed now.
 * Runs as a job.
 */
export async function makeRoomAhead(pack: Pack): Promise<void> {
  const ahead = Math.min(Math.floor((pack.options.maxSize ?? 0) * AHEAD_SHARE), pack.limits.data);
  while (ahead > 0 && !hasRoom(pack, ahead) && await evictOne(pack));
}

function endActive(pack: Pack): void {
  try {
    roll(pack, "data");
  } catch (error) {
    throw packError(error, "make", "room");
  }
}

function deficit(pack: Pack, bytes: number, measured: Measured): number {
  const { maxSize } = pack.options;
  if (maxSize === undefined) return 0;
  const over = diskBytes(pack, measured) + bytes - maxSize;
  const { room } = measured;
  if (!room) return over;
  const { credit } = pack;
  if (credit.free !== room.free) {
    credit.free = room.free;
    credit.bytes = 0;
  }
  return Math.max(over, reserveOf(room) + bytes - room.free - credit.bytes);
}

function noRoom(pack: Pack, bytes: number): CacheError {
  const { maxSize } = pack.options;
  const used = diskBytes(pack);
  return new CacheError(
    "quota_exceeded",
    `Cannot store ${formatSize(bytes)}: the store has ${formatSize(used)} of ${
      formatSize(maxSize ?? 0)
    } and nothing more can be evicted${
      pack.pins.size > 0 ? `, ${pack.pins.size} entries are pinned` : ""
    }`,
    { operation: "pack.room", context: { bytes, used, limit: maxSize ?? 0 } },
  );
}
