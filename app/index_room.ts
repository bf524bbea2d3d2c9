/** Keeps the index of a store with a limit small: entries whose bodies were evicted are forgotten. */
import type { Background } from "../core/background.ts";
import type { Forgotten } from "../index/contract.ts";

/** Of the limit, what log and tables may take before anything is forgotten. */
const INDEX_SHARE = 1 / 8;
/** Of the entries, how many records must have been lost since the last time: it reads them all. */
const LOST_SHARE = 1 / 4;
/** Records lost below which it is not worth the work. */
const LEAST_LOST = 1000;

/** What an {@linkcode IndexRoom} looks at, and what it has done. */
export interface IndexRoomParts {
  /** Bytes that the store may take; `undefined`: no limit, and nothing is ever forgotten. */
  readonly maxSize: number | undefined;
  readonly background: Background;
  /** Bytes of log and tables of the index. */
  bytes(): number;
  entries(): number;
  /** Records that were evicted or set aside since the start. */
  losses(): number;
  forget(): Promise<Forgotten>;
  report(line: string): void;
}

/**
 * The index is never evicted with the packs: without this the entries of what was evicted long ago
 * would fill a store of small bodies to its limit, and nothing could be written any more.
 */
export class IndexRoom {
  readonly #parts: IndexRoomParts;
  #lost: number;
  #running = false;

  constructor(parts: IndexRoomParts) {
    this.#parts = parts;
    this.#lost = parts.losses();
  }

  /** Looks whether it is time, and begins if so; to be called whenever a pack is evicted. */
  look(): void {
    const { maxSize, background, bytes, entries, losses } = this.#parts;
    if (maxSize === undefined || this.#running) return;
    const lost = losses() - this.#lost;
    if (lost < Math.max(LEAST_LOST, entries() * LOST_SHARE)) return;
    if (bytes() < maxSize * INDEX_SHARE) return;
    this.#running = true;
    background.run("index.room", this.#forget());
  }

  async #forget(): Promise<void> {
    const { losses, forget, report } = this.#parts;
    this.#lost = losses();
    try {
      const { entries, blobs } = await forget();
      report(`made room: forgot ${entries} entries and ${blobs} blobs that were evicted before`);
    } finally {
      this.#running = false;
    }
  }
}
