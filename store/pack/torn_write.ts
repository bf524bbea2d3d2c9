/** Tells what a power cut left of a write from what has rotted. */
import type { Bytes } from "../../core/digest.ts";

/** Bytes that a disk writes as one. */
const SECTOR_BYTES = 512;
/** Zeros that are few enough to be part of a body. */
const FEW_BYTES = 32;
/** Bytes looked at together. */
const STEP_BYTES = 1024 * 1024;

/**
 * Whether there is a sector in `[offset, offset + length)`, or the part of one that begins or ends
 * there, that was never written: it reads as zeros. Where a record should begin a few zeros tell as
 * much as many, since its first bytes are none. A disk writes the sectors of one write in any
 * order, so such a gap may stand before whole records; none of that was ever acknowledged, since
 * every write is made durable before the next one.
 */
export function hasUnwrittenSector(
  read: (offset: number, length: number) => Bytes,
  offset: number,
  length: number,
): boolean {
  const end = offset + length;
  for (let at = offset; at < end;) {
    const until = Math.min(end, Math.ceil((at + STEP_BYTES) / SECTOR_BYTES) * SECTOR_BYTES);
    const bytes = read(at, until - at);
    for (let from = at; from < until;) {
      const next = Math.min(until, (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      const part = bytes.subarray(from - at, next - at);
      if ((part.length >= FEW_BYTES || from === offset) && part.every((byte) => byte === 0)) {
        return true;
      }
      from = next;
    }
    at = until;
  }
  return false;
}
