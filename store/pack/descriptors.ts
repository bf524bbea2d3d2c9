/** Open segments of one reader: kept while they are of use, never closed while they are read. */
import type { SegmentRow } from "./places.ts";
import { openSegment } from "./segment_bytes.ts";
import type { SegmentBytes, SegmentHome } from "./segment_bytes.ts";

/** Segments that stay open although nobody reads them now. */
export const MAX_OPEN_SEGMENTS = 256;

/** A segment that can not go while it is held. */
export interface PinnedSegment extends Disposable {
  readonly bytes: SegmentBytes;
}

interface Open {
  readonly bytes: SegmentBytes;
  /** How many are reading. */
  readers: number;
  /** Closed as soon as nobody reads. */
  retired: boolean;
}

/** The open segments of one thread, by number. */
export class Descriptors implements Disposable {
  readonly #home: SegmentHome;
  readonly #limit: number;
  // In the order of their last use.
  readonly #open = new Map<number, Open>();
  readonly #retired = new Set<Open>();

  constructor(home: SegmentHome, limit = MAX_OPEN_SEGMENTS) {
    this.#home = home;
    this.#limit = limit;
  }

  /** How many segments are open. */
  get size(): number {
    return this.#open.size + this.#retired.size;
  }

  /** The segment if it is open, without a look at the tables. */
  find(number: number): PinnedSegment | undefined {
    const open = this.#open.get(number);
    if (!open) return undefined;
    this.#open.delete(number);
    this.#open.set(number, open);
    return this.#pin(open);
  }

  /**
   * Opens a segment; `undefined` when its file is not where the row says.
   * @throws {CacheError} `unavailable`, also when there are no descriptors left
   */
  open(segment: Pick<SegmentRow, "number" | "name" | "area" | "state">): PinnedSegment | undefined {
    this.#shrink(this.#limit - 1);
    let bytes: SegmentBytes | undefined;
    try {
      bytes = openSegment(this.#home, segment);
    } catch (error) {
      // Perhaps for want of descriptors: give up those that only wait, and try once more.
      if (this.#shrink(0) === 0) throw error;
      bytes = openSegment(this.#home, segment);
    }
    if (!bytes) return undefined;
    const open: Open = { bytes, readers: 0, retired: false };
    const known = this.#open.get(segment.number);
    if (known) this.#retire(segment.number, known);
    this.#open.set(segment.number, open);
    return this.#pin(open);
  }

  /** Closes segments now, or when the last of their readers is done. */
  retire(segments: readonly number[]): void {
    for (const number of segments) {
      const open = this.#open.get(number);
      if (open) this.#retire(number, open);
    }
  }

  [Symbol.dispose](): void {
    this.retire([...this.#open.keys()]);
  }

  #retire(number: number, open: Open): void {
    this.#open.delete(number);
    open.retired = true;
    if (open.readers === 0) open.bytes[Symbol.dispose]();
    else this.#retired.add(open);
  }

  #pin(open: Open): PinnedSegment {
    open.readers++;
    let held = true;
    return {
      bytes: open.bytes,
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        if (--open.readers > 0 || !open.retired) return;
        this.#retired.delete(open);
        open.bytes[Symbol.dispose]();
      },
    };
  }

  /** Closes the longest unused until `limit` are left; tells how many. */
  #shrink(limit: number): number {
    let closed = 0;
    for (const [number, open] of this.#open) {
      if (this.#open.size <= limit) break;
      if (open.readers > 0) continue;
      this.#retire(number, open);
      closed++;
    }
    return closed;
  }
}
