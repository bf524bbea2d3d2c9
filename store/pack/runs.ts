/** Which records lie together, so that one read serves them. */
import type { Bytes } from "../../core/digest.ts";
import { DOWNLOAD_HELD_BYTES, READ_AHEAD_BYTES } from "../../core/limits.ts";
import type { DataKind } from "../../core/record.ts";
import { recordBytes } from "./places.ts";
import type { Place } from "./places.ts";

/** Bytes of one read ahead. */
export const MAX_RUN_BYTES = 1024 * 1024;
/** Bytes of one where very many bodies are read at a time: about a chunk. */
const MIN_RUN_BYTES = 64 * 1024;

/**
 * Bytes of one read ahead while answers of `held` bytes are on their way: a client that stands
 * still keeps one in memory, and a thousand of them must not keep a thousand large ones.
 */
export function runBytes(held: number): number {
  const downloads = Math.max(1, held / DOWNLOAD_HELD_BYTES);
  return Math.min(MAX_RUN_BYTES, Math.max(MIN_RUN_BYTES, READ_AHEAD_BYTES / downloads));
}

/** A record and where it was found. */
export interface Wanted {
  readonly kind: DataKind;
  readonly id: Bytes;
  readonly place: Place;
}

/** Neighbours in one segment, in the order asked. */
export interface Run {
  readonly segment: number;
  /** Whether the segment is read without waiting. */
  readonly local: boolean;
  readonly offset: number;
  readonly length: number;
  readonly records: readonly Wanted[];
}

/**
 * Groups records that stand behind one another into runs of at most `most` bytes (or one larger
 * record). Ends with `missing` at the first that `find` does not know.
 */
export function planRuns(
  ids: readonly Bytes[],
  find: (id: Bytes) => (Wanted & { readonly local: boolean }) | undefined,
  most = MAX_RUN_BYTES,
): (Run | { readonly missing: Bytes })[] {
  const plan: (Run | { readonly missing: Bytes })[] = [];
  let run: { -readonly [K in keyof Run]: Run[K] } & { records: Wanted[] } | undefined;
  for (const id of ids) {
    const found = find(id);
    if (!found) return [...plan, { missing: id }];
    const { place, local } = found;
    const size = recordBytes(place);
    const joins = run !== undefined && run.segment === place.segment &&
      run.offset + run.length === place.offset && run.length + size <= most;
    if (run && joins) {
      run.length += size;
      run.records.push(found);
      continue;
    }
    const { segment, offset } = place;
    run = { segment, local, offset, length: size, records: [found] };
    plan.push(run);
  }
  return plan;
}
