/** What is on the disk whatever the durability, told from the calls of a record. */
import type { Call } from "./record.ts";

/** Where the header of a segment says what is in it, and the word for data. */
const AREA = { at: 10, data: 1 };

/**
 * The moment before which all that was acknowledged is on the disk: of the last sync of a data
 * segment that a sync of a log segment followed.
 */
export class DurableMoment {
  /** By the record's clock; before all of it where nothing was synced yet. */
  ms = -Infinity;
  #data = -Infinity;
  /** By inode: log segments are renamed when they are compacted. */
  readonly #areas = new Map<number, "data" | "log">();

  /** Takes a call in. */
  hear({ name, path, ino, offset, at, data }: Call): void {
    if (!/^active\/./.test(path)) return;
    if (name === "write" && offset === 0) {
      this.#areas.set(ino, data[AREA.at] === AREA.data ? "data" : "log");
    } else if (name === "sync") {
      const area = this.#areas.get(ino);
      if (area === "data") this.#data = at;
      if (area === "log") this.ms = this.#data;
    }
  }

  /** All of these calls have reached the disk, whoever saw to it. */
  settle(calls: readonly Call[]): void {
    this.ms = this.#data = calls.at(-1)?.at ?? this.ms;
  }
}
