/** Looks at what is around the records of a segment: its header, and the footer of a pack. */
import { checkFooter, decodeTrailer, TRAILER_BYTES } from "../../codec/footer.ts";
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import { isKind } from "../../core/errors.ts";
import { noteDamage } from "./damage.ts";
import type { Pack } from "./pack.ts";
import type { SegmentRow } from "./places.ts";
import { openSegment } from "./segment_bytes.ts";
import type { SegmentBytes } from "./segment_bytes.ts";
import type { Found, VerifyOptions } from "./verify.ts";

/**
 * Checks header and footer, without which the records are still read, but found again only by
 * reading all of the segment.
 */
export async function checkFrame(
  pack: Pack,
  segment: SegmentRow,
  { found, repair }: VerifyOptions & { readonly found: Found },
): Promise<void> {
  const home = { files: pack.files, objects: pack.options.objects };
  using source = openSegment(home, segment);
  // One that is not there is told record by record.
  if (!source) return;
  const bad: { offset: number; length: number }[] = [];
  const header = await readsAs(async () => {
    const { id } = decodeSegmentHeader(await source.read(0, SEGMENT_HEADER_BYTES));
    return id.toHex() === segment.name;
  });
  if (!header) bad.push({ offset: 0, length: SEGMENT_HEADER_BYTES });
  if (segment.state === "sealed" && !await readsAs(() => hasFooter(source, segment))) {
    const offset = segment.applied;
    bad.push({ offset, length: Math.max(0, segment.size - offset) });
  }
  // It may have gone while it was read.
  if (pack.tables.segment(segment.number)?.state !== segment.state) return;
  for (const place of bad) {
    found.damaged++;
    if (repair) noteDamage(pack, { ...place, segment: segment.number });
  }
}

async function hasFooter(source: SegmentBytes, segment: SegmentRow): Promise<boolean> {
  const { size } = segment;
  if (size < TRAILER_BYTES || source.local && source.size() !== size) return false;
  const trailer = decodeTrailer(await source.read(size - TRAILER_BYTES, TRAILER_BYTES), size);
  if (trailer.segmentId.toHex() !== segment.name) return false;
  checkFooter(await source.read(trailer.recordsEnd, trailer.rowsBytes), trailer);
  return true;
}

async function readsAs(read: () => Promise<boolean>): Promise<boolean> {
  try {
    return await read();
  } catch (error) {
    if (isKind(error, "corrupt")) return false;
    throw error;
  }
}
