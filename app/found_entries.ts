/** Entries that a thread found lately, as long as nothing at all has changed since. */
import type { SignalOptions } from "../core/bytes.ts";
import type { Counters } from "../core/counters.ts";
import type { Entry, EntryKey } from "../core/entry.ts";

/** Entries that are remembered; a few hundred bytes each. */
const MAX_REMEMBERED = 10_000;
/** Blobs of the largest entry that is remembered. */
const MAX_BLOBS = 64;

/**
 * Complete entries by identity. Any commit to the index and any lost record, on any thread, makes
 * all of them old: both are counted in memory that all threads share, a commit before it is
 * acknowledged. Misses are never remembered.
 */
export class FoundEntries {
  readonly #entries: { get(key: EntryKey, options?: SignalOptions): Promise<Entry | undefined> };
  readonly #counters: Counters;
  readonly #known = new Map<string, Entry>();
  #changes = -1;
  #losses = -1;

  constructor(
    entries: { get(key: EntryKey, options?: SignalOptions): Promise<Entry | undefined> },
    counters: Counters,
  ) {
    this.#entries = entries;
    this.#counters = counters;
  }

  /** The complete entry with this identity, else `undefined`. */
  async get(key: EntryKey, options?: SignalOptions): Promise<Entry | undefined> {
    // Read before the look-up: a change meanwhile makes what is remembered old at once.
    const changes = this.#counters.get("index_changes");
    const losses = this.#counters.get("losses");
    if (changes !== this.#changes || losses !== this.#losses) {
      this.#known.clear();
      this.#changes = changes;
      this.#losses = losses;
    }
    // No part but the last can hold a NUL.
    const name = `${key.namespace}\0${key.scope}\0${key.protocol}\0${key.key}`;
    const known = this.#known.get(name);
    if (known) return known;
    const entry = await this.#entries.get(key, options);
    if (!entry || entry.blobs.length > MAX_BLOBS) return entry;
    const old = changes !== this.#counters.get("index_changes") ||
      losses !== this.#counters.get("losses") || changes !== this.#changes ||
      losses !== this.#losses;
    if (old) return entry;
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(name, entry);
    return entry;
  }
}
