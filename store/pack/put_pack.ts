/** What sealing and compressing have in common. */
import type { FooterRow } from "../../codec/footer.ts";
import { CacheError } from "../../core/errors.ts";
import type { Pack } from "./pack.ts";
import type { Place, SegmentRow } from "./places.ts";
import { objectKey } from "./segment_bytes.ts";

/** Hands a finished file to the object store. */
export async function putPack(
  pack: Pack,
  segment: Pick<SegmentRow, "name" | "area">,
  fileName: string,
  size: number,
): Promise<void> {
  pack.fault("seal.before_put");
  const info = await pack.options.objects.put(
    objectKey(segment),
    pack.files.source(fileName, size),
  );
  if (info.size === size) return;
  throw new CacheError(
    "unavailable",
    `Cannot seal segment "${segment.name}": the store kept ${info.size} bytes, want ${size}`,
    { operation: "pack.seal" },
  );
}

/** The row of a footer for a record at a place. */
export function footerRow(record: Place & Pick<FooterRow, "kind" | "id">): FooterRow {
  const { kind, id, codec, stored: storedLength, raw: rawLength, offset } = record;
  return { kind, id, codec, storedLength, rawLength, offset };
}
