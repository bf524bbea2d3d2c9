/** Entries and small bodies that a thread found lately, as long as nothing about them has changed. */
import type { SignalOptions } from "../core/bytes.ts";
import type { Counters } from "../core/counters.ts";
import type { Bytes } from "../core/digest.ts";
import type { Entry, EntryKey } from "../core/entry.ts";
import { HOT_BODIES_BYTES, HOT_BODY_BYTES, HOT_FOR_MS, HOT_NOTE_MS } from "../core/limits.ts";

/** Entries that are remembered; a few hundred bytes each. */
const MAX_REMEMBERED = 10_000;
/** Blobs of the largest entry that is remembered. */
const MAX_BLOBS = 64;

interface Known {
  readonly entry: Entry;
  /** What the entry's change counter said before it was looked up. */
  readonly changes: number;
  /** When it was found; after `HOT_FOR_MS` it is read from the store again. */
  readonly at: number;
  /** When its use was passed on last. */
  noted: number;
  body: Bytes | undefined;
}

/** What {@linkcode FoundEntries} is made of. */
export interface FoundEntriesParts {
  readonly entries: { get(key: EntryKey, options?: SignalOptions): Promise<Entry | undefined> };
  readonly counters: Counters;
  /** Milliseconds; only differences count. */
  now(): number;
}

/**
 * Complete entries by identity, and bodies of at most `HOT_BODY_BYTES`. A commit, on any thread,
 * counts in memory that all threads share before it is acknowledged: an entry that it changes is
 * old then, and others only by a rare coincidence. Blobs that are lost or hidden make everything
 * old. Misses are never remembered.
 *
 * After `HOT_FOR_MS` an entry and its body are read from the store once more, so that damage on the
 * disk is noticed. What is hot here is known there as used all the while.
 */
export class FoundEntries {
  readonly #parts: FoundEntriesParts;
  readonly #known = new Map<string, Known>();
  /** The same, by the entries handed out. */
  readonly #given = new WeakMap<Entry, Known>();
  #bodyBytes = 0;
  #lost = -1;

  constructor(parts: FoundEntriesParts) {
    this.#parts = parts;
  }

  /** The complete entry with this identity, else `undefined`. */
  async get(key: EntryKey, options?: SignalOptions): Promise<Entry | undefined> {
    const { counters, entries, now } = this.#parts;
    const name = nameOf(key);
    // Read before the look-up: a change meanwhile makes what is remembered old at once.
    const lost = this.#forgetIfLost();
    const changes = counters.changesOf(name);
    const at = now();
    const known = this.#known.get(name);
    if (known) {
      if (known.changes === changes && this.#isYoung(known, at)) return known.entry;
      this.#forget(name, known);
    }
    const entry = await entries.get(key, options);
    if (!entry || entry.blobs.length > MAX_BLOBS) return entry;
    if (lost !== this.#forgetIfLost() || changes !== counters.changesOf(name)) return entry;
    if (this.#known.size >= MAX_REMEMBERED) this.#forgetAll();
    const fresh: Known = { entry, changes, at, noted: -Infinity, body: undefined };
    const other = this.#known.get(name);
    if (other) this.#forget(name, other);
    this.#known.set(name, fresh);
    this.#given.set(entry, fresh);
    return entry;
  }

  /** What {@linkcode get} would give from memory; `undefined` if it would ask. */
  peek(key: EntryKey): Entry | undefined {
    this.#forgetIfLost();
    const name = nameOf(key);
    const known = this.#known.get(name);
    if (!known || !this.#isYoung(known, this.#parts.now())) return undefined;
    return known.changes === this.#parts.counters.changesOf(name) ? known.entry : undefined;
  }

  /** Tells whether {@linkcode get} would still give this entry, which it just gave. */
  watch(entry: Entry): ((now: number) => boolean) | undefined {
    const known = this.#given.get(entry);
    const lost = this.#lost;
    if (!known) return undefined;
    const { counters } = this.#parts;
    const changes = counters.watchChanges(nameOf(entry));
    return (now) =>
      changes() === known.changes && losses(counters) === lost && this.#isYoung(known, now);
  }

  /**
   * Tells whether a use of this entry is to be passed on: once each time it was read from the store,
   * and again after `HOT_NOTE_MS`.
   */
  uses(entry: Entry): (now: number) => boolean {
    const known = this.#given.get(entry);
    if (!known) return () => true;
    return (now) => {
      if (now - known.noted < HOT_NOTE_MS) return false;
      known.noted = now;
      return true;
    };
  }

  /** The body of an entry that {@linkcode get} gave, if it is in memory. Not to be written to. */
  body(entry: Entry): Bytes | undefined {
    this.#forgetIfLost();
    const known = this.#given.get(entry);
    return known && this.#isYoung(known, this.#parts.now()) ? known.body : undefined;
  }

  /** Keeps the body of an entry that {@linkcode get} gave, if it is small and there is room. */
  keepBody(entry: Entry, body: Bytes): void {
    const known = this.#given.get(entry);
    if (!known || known.body || body.length > HOT_BODY_BYTES) return;
    if (this.#known.get(nameOf(entry)) !== known) return;
    for (const [name, oldest] of this.#known) {
      if (this.#bodyBytes + body.length <= HOT_BODIES_BYTES) break;
      if (oldest !== known) this.#forget(name, oldest);
    }
    // A copy where it is a part of something larger, which would be kept whole.
    known.body = body.buffer.byteLength > 2 * body.length ? body.slice() : body;
    this.#bodyBytes += body.length;
  }

  #isYoung(known: Known, now: number): boolean {
    return now - known.at < HOT_FOR_MS;
  }

  #forgetIfLost(): number {
    const { counters } = this.#parts;
    const lost = losses(counters);
    if (lost !== this.#lost) {
      this.#forgetAll();
      this.#lost = lost;
    }
    return lost;
  }

  #forget(name: string, known: Known): void {
    this.#known.delete(name);
    if (!known.body) return;
    this.#bodyBytes -= known.body.length;
    known.body = undefined;
  }

  #forgetAll(): void {
    for (const [name, known] of this.#known) this.#forget(name, known);
  }
}

function losses(counters: Counters): number {
  return counters.get("losses") + counters.get("unlinks");
}

/** An identity as one text, for change counters too. No part but the last can hold a NUL. */
export function nameOf({ namespace, scope, protocol, key }: EntryKey): string {
  return `${namespace}\0${scope}\0${protocol}\0${key}`;
}
