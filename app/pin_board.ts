/** The pins of one store, on the writer's thread: what they hold, and whether there may be more. */
import type { ChunkSource, CommitBatch } from "../core/chunk_store.ts";
import type { Digest } from "../core/digest.ts";
import type { BlobRef, Entry, EntryKey } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { PINNED_SHARE } from "../core/limits.ts";
import type { PinnedEntry, PinTotals } from "../core/pins.ts";
import { formatSize } from "../core/units.ts";
import type { IndexWriter } from "../index/contract.ts";
import { recordsOfBlob } from "../store/cas/presence.ts";
import type { PackWriter } from "../store/pack/writer.ts";
import { nameOf } from "./found_entries.ts";
import type { IndexStep } from "./local_writer.ts";

/** What a {@linkcode PinBoard} works on. */
export interface PinBoardParts {
  readonly packs: Pick<PackWriter, "pin" | "unpin">;
  readonly index: Pick<IndexWriter, "pins" | "stored" | "get" | "commit">;
  readonly chunks: ChunkSource;
  /** Bytes of the store; `undefined` for no limit, and pins have none either. */
  readonly maxSize: number | undefined;
  report(line: string): void;
}

interface Pin {
  readonly entry: PinnedEntry;
  readonly blobs: readonly BlobRef[];
}

/** All pins. Changes are made one after the other. */
export class PinBoard {
  readonly #parts: PinBoardParts;
  readonly #pins = new Map<string, Pin>();
  /** By namespace and digest: how many pinned entries name a blob. */
  readonly #named = new Map<string, number>();
  #bytes = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /** Use {@linkcode openPinBoard}. */
  constructor(parts: PinBoardParts) {
    this.#parts = parts;
  }

  /** Holds all that the index says is pinned. */
  async load(): Promise<void> {
    const { index, report } = this.#parts;
    for (const { key, by, at } of index.pins()) {
      const entry = index.stored(key);
      if (entry && await this.#hold(entry)) this.#add(entry, { by, at });
      else report(`the pinned entry "${key.key}" of namespace "${key.namespace}" is not whole`);
    }
  }

  isPinned(key: EntryKey): boolean {
    return this.#pins.size > 0 && this.#pins.has(nameOf(key));
  }
  isPinnedBlob(namespace: string, digest: Digest): boolean {
    return this.#named.size > 0 && this.#named.has(`${namespace} ${digest}`);
  }
  totals(): PinTotals {
    return { entries: this.#pins.size, bytes: this.#bytes, max_bytes: this.#limit() ?? null };
  }
  /** All pinned entries, in order of their names. */
  list(namespace?: string): PinnedEntry[] {
    return [...this.#pins.values()].map(({ entry }) => entry)
      .filter((entry) => namespace === undefined || entry.namespace === namespace)
      .sort((a, b) => nameOf(a) < nameOf(b) ? -1 : 1);
  }

  /** Pins these, all or none; what is no whole entry is left out of the answer. */
  pin(keys: readonly EntryKey[], by: string): Promise<PinnedEntry[]> {
    return this.#alone(async () => {
      const { index, packs } = this.#parts;
      const found: Entry[] = [];
      for (const key of keys) {
        const entry = await index.get(key);
        if (entry && !found.some((one) => nameOf(one) === nameOf(entry))) found.push(entry);
      }
      const fresh = found.filter((entry) => !this.isPinned(entry));
      this.#check(this.#more(fresh));
      const held: Entry[] = [];
      try {
        for (const entry of fresh) if (await this.#hold(entry)) held.push(entry);
        if (held.length > 0) await index.commit({ pin: held, by });
      } catch (error) {
        for (const entry of held) packs.unpin(nameOf(entry));
        throw error;
      }
      const said = new Map(
        held.length === 0 ? [] : index.pins().map((pin) => {
          return [nameOf(pin.key), pin] as const;
        }),
      );
      for (const entry of held) {
        // Written anew, or deleted, while it was pinned: its newest version counts.
        const now = index.stored(entry);
        const pin = said.get(nameOf(entry));
        if (now && pin && await this.#hold(now)) this.#add(now, pin);
        else packs.unpin(nameOf(entry));
      }
      return this.#those(found);
    });
  }

  /** Lets these pins go; tells which there were. */
  unpin(keys: readonly EntryKey[], by: string): Promise<PinnedEntry[]> {
    return this.#alone(async () => {
      const pinned = keys.filter((key) => this.isPinned(key));
      const gone = this.#those(pinned);
      if (gone.length > 0) await this.#parts.index.commit({ unpin: pinned, by });
      for (const key of gone) this.#drop(key);
      return gone;
    });
  }

  /** @throws {CacheError} `quota_exceeded` when a pinned entry would be replaced by a too large one */
  admit({ entry }: CommitBatch): void {
    if (!entry || !this.isPinned(entry)) return;
    const before = this.#pins.get(nameOf(entry))!.entry.bytes;
    const bytes = entry.blobs.reduce((sum, { size }) => sum + size, 0);
    if (bytes > before) this.#check(bytes - before);
  }

  /** Follows what was written and deleted: the newest version of an entry is what is pinned. */
  changed({ entries, remove }: Pick<IndexStep, "entries" | "remove">): Promise<void> | undefined {
    if (this.#pins.size === 0) return undefined;
    const touched = [...entries, ...remove].filter((key) => this.isPinned(key));
    if (touched.length === 0) return undefined;
    return this.#alone(async () => {
      for (const key of touched) {
        const pin = this.#pins.get(nameOf(key));
        const entry = this.#parts.index.stored(key);
        if (!pin) continue;
        if (!entry) this.#drop(key);
        else if (await this.#hold(entry)) this.#add(entry, pin.entry);
      }
    });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {}); // whoever asked hears of it
    return result;
  }

  async #hold(entry: Entry): Promise<boolean> {
    const { packs, chunks } = this.#parts;
    const records = [];
    for (const blob of entry.blobs) {
      const some = await recordsOfBlob(chunks, blob);
      if (!some) return false;
      records.push(...some);
    }
    return packs.pin(nameOf(entry), records);
  }

  #add(entry: Entry, { by, at }: { readonly by: string; readonly at: number }): void {
    this.#forget(entry);
    const { namespace, scope, protocol, key, blobs } = entry;
    const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
    const pinned = { namespace, scope, protocol, key, by, at, bytes };
    this.#pins.set(nameOf(entry), { entry: pinned, blobs });
    for (const { digest, size } of blobs) {
      const name = `${namespace} ${digest}`;
      const times = this.#named.get(name) ?? 0;
      if (times === 0) this.#bytes += size;
      this.#named.set(name, times + 1);
    }
  }

  #drop(key: EntryKey): void {
    this.#parts.packs.unpin(nameOf(key));
    this.#forget(key);
  }

  #forget(key: EntryKey): void {
    const pin = this.#pins.get(nameOf(key));
    if (!pin) return;
    this.#pins.delete(nameOf(key));
    for (const { digest, size } of pin.blobs) {
      const name = `${key.namespace} ${digest}`;
      const times = this.#named.get(name) ?? 1;
      if (times > 1) this.#named.set(name, times - 1);
      else {
        this.#named.delete(name);
        this.#bytes -= size;
      }
    }
  }

  /** Bytes that these would add: what is pinned already counts once. */
  #more(entries: readonly Entry[]): number {
    const fresh = new Map<string, number>();
    for (const { namespace, blobs } of entries) {
      for (const { digest, size } of blobs) {
        if (!this.isPinnedBlob(namespace, digest)) fresh.set(`${namespace} ${digest}`, size);
      }
    }
    return [...fresh.values()].reduce((sum, size) => sum + size, 0);
  }

  #check(more: number): void {
    const limit = this.#limit();
    if (limit === undefined || more <= 0 || this.#bytes + more <= limit) return;
    throw new CacheError(
      "quota_exceeded",
      `Cannot pin ${formatSize(more)}: ${formatSize(this.#bytes)} of ${formatSize(limit)} are ` +
        `pinned, which is ${100 * PINNED_SHARE} % of what the store may take`,
      {
        operation: "pins.pin",
        context: { bytes: more, used: this.#bytes, limit },
        hint: "unpin what is no longer needed; pins tells what there is",
      },
    );
  }

  #limit(): number | undefined {
    const { maxSize } = this.#parts;
    return maxSize === undefined ? undefined : Math.floor(maxSize * PINNED_SHARE);
  }

  #those(keys: readonly EntryKey[]): PinnedEntry[] {
    return keys.flatMap((key) => this.#pins.get(nameOf(key))?.entry ?? []);
  }
}

/** A board that holds what is pinned, before anything else may make room. */
export async function openPinBoard(parts: PinBoardParts): Promise<PinBoard> {
  const board = new PinBoard(parts);
  await board.load();
  return board;
}
