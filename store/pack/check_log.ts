/** Looks through a log segment, a part at a time. */
import { scanRecords } from "../../codec/record_scan.ts";
import { SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import { noteDamage } from "./damage.ts";
import { localCopy } from "./local_copy.ts";
import type { Pack } from "./pack.ts";
import type { SegmentRow } from "./places.ts";
import type { Found, VerifyOptions } from "./verify.ts";

/** Options of {@linkcode checkLog}. */
export interface CheckLogOptions extends VerifyOptions {
  readonly found: Found;
  /** The offset to begin at. */
  readonly from: number;
  /** About how many bytes to read. */
  readonly bytes: number;
}

/** Checks records of a log segment; tells the offset to go on at, `undefined` at its end. */
export async function checkLog(
  pack: Pack,
  segment: SegmentRow,
  options: CheckLogOptions,
): Promise<number | undefined> {
  const { found, repair } = options;
  const note = (offset: number, length: number) => {
    found.damaged++;
    if (repair) noteDamage(pack, { segment: segment.number, offset, length });
  };
  const home = { files: pack.files, objects: pack.options.objects };
  using copy = await localCopy(home, segment);
  if (!copy) return void note(0, segment.size);
  const active = pack.active.log.number === segment.number;
  // Where its records end; what is appended meanwhile is for the next time.
  const end = active ? pack.active.log.synced : segment.applied;
  const from = Math.max(options.from, SEGMENT_HEADER_BYTES);
  for (const event of scanRecords(copy.read, from, end)) {
    if (event.type === "record") {
      if (event.offset - from >= options.bytes) {
        found.read += event.offset - from;
        return event.offset;
      }
    } else if (event.length > 0) note(event.offset, event.length);
  }
  found.read += Math.max(0, end - from);
  return undefined;
}
