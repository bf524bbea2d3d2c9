/**
 * The index in memory: small enough to be read at a glance, and what SQLite is measured against.
 * It shares none of SQLite's decisions; only records, ids and order are the same code.
 */
import { createHash } from "node:crypto";
import { entryId, itemId } from "../codec/entry_id.ts";
import {
  decodeEntry,
  decodeTombstone,
  encodeEntry,
  encodeTombstone,
} from "../codec/entry_record.ts";
import type { RecordContext } from "../codec/entry_record.ts";
import { nextHlc } from "../codec/hlc.ts";
import { throwIfAborted } from "../core/abort.ts";
import type { SignalOptions } from "../core/bytes.ts";
import { type Bytes, toHex } from "../core/digest.ts";
import type { Entry, EntryDraft, EntryId, EntryKey, RemoveKey } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import type {
  PutOutcome,
  RangeSummary,
  ScanItem,
  ScanOptions,
  Visibility,
} from "../core/metadata_index.ts";
import { liveView } from "../core/summary/live_view.ts";
import { SummarySet } from "../core/summary/summary_set.ts";
import type { SummaryView } from "../core/summary/trie.ts";
import { checkSize } from "./blob_check.ts";
import { MAX_REPLACEMENTS } from "./contract.ts";
import type {
  EntryIndex,
  IndexBatch,
  IndexCommit,
  IndexTotals,
  Replacement,
  SummaryOptions,
  WritingIndexOptions,
} from "./contract.ts";
import { replacementOf } from "./replacement.ts";
import { itemRange, matchesFacts, matchesKey, scanFilter } from "./scan_filter.ts";
import {
  checkLink,
  copyWorld,
  emptyWorld,
  hasId,
  identityOf,
  keyOf,
  listed,
  sequenceOf,
} from "./memory_world.ts";
import type { World } from "./memory_world.ts";
import { compareKeys } from "./text_order.ts";

/** Holds entries and visibility in memory; nothing is durable. */
export class MemoryIndex implements EntryIndex {
  readonly visibility: Visibility;
  readonly #options: WritingIndexOptions;
  readonly #context: RecordContext;
  readonly #used = new Map<string, number>();
  #world = emptyWorld();
  #tail: Promise<unknown> = Promise.resolve();
  #horizon = 0n;
  #closed = false;

  constructor(options: WritingIndexOptions) {
    this.#options = options;
    this.#context = { keys: options.keys, seal: options.seal };
    this.visibility = {
      find: (namespace, digests) => {
        const seen = this.#open("index.find").visible.get(namespace);
        return digests.map((digest) => seen?.get(digest));
      },
      numberOf: () => undefined,
      list: (namespace, after, limit) =>
        listed(this.#open("index.list"), { namespace, after, limit }),
    };
  }

  async get(key: EntryKey, options: SignalOptions = {}): Promise<Entry | undefined> {
    throwIfAborted(options.signal);
    const item = this.#version(this.#open("index.get"), key);
    if (item?.type !== "entry" || !await this.#isComplete(item.entry)) return undefined;
    return item.entry;
  }

  async put(draft: EntryDraft, options: SignalOptions = {}): Promise<PutOutcome> {
    throwIfAborted(options.signal);
    return (await this.commit({ entries: [draft] })).puts[0]!; // one for each entry
  }

  async delete(keys: readonly EntryKey[], options: SignalOptions = {}): Promise<number> {
    throwIfAborted(options.signal);
    return (await this.commit({ remove: keys })).removed;
  }

  async *scan(options: ScanOptions = {}): AsyncGenerator<ScanItem, void, undefined> {
    const filter = scanFilter(options);
    const items = [...this.#open("index.scan").versions]
      .map(([name, item]) => this.#withUse(name, item))
      .filter((item) => matchesKey(filter, keyOf(item)))
      .filter((item) => item.type === "tombstone" || matchesFacts(filter, item.entry))
      .filter((item) => item.type === "entry" || filter.tombstones);
    if (filter.order === "key") items.sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
    else if (filter.order === "newest") items.sort((a, b) => sequenceOf(b) - sequenceOf(a));
    else items.sort((a, b) => sequenceOf(a) - sequenceOf(b));
    let left = filter.limit;
    for (const item of items) {
      throwIfAborted(options.signal);
      if (left === 0) return;
      const { after, afterSequence, order } = filter;
      if (order === "key" && after && compareKeys(keyOf(item), after) <= 0) continue;
      if (order === "sequence" && sequenceOf(item) <= afterSequence) continue;
      if (order === "newest" && item.type === "tombstone") continue;
      const wanted = item.type === "tombstone" || filter.incomplete ||
        await this.#isComplete(item.entry);
      if (!wanted) continue;
      yield item;
      left--;
    }
  }

  async summarize(namespace: string, scope: string, prefix: string): Promise<RangeSummary> {
    const { first, last } = itemRange(prefix);
    const items = [...this.#items(namespace, scope)].map(([id]) => toHex(id));
    const hash = createHash("sha256");
    const inside = items.filter((item) => item >= first && item <= last).sort();
    for (const item of inside) hash.update(item, "hex");
    return { count: inside.length, fingerprint: new Uint8Array(hash.digest()) };
  }

  async summary(
    namespace: string,
    scope: string,
    options: SummaryOptions = {},
  ): Promise<SummaryView> {
    throwIfAborted(options.signal);
    const { horizon = 0n } = options;
    if (horizon > this.#horizon) this.#horizon = horizon;
    return liveView(() => {
      const set = new SummarySet();
      for (const [id, item] of this.#items(namespace, scope)) {
        if (item.type === "entry" || item.tombstone.stamp.hlc >= this.#horizon) set.add(id);
      }
      return set;
    });
  }

  touch(keys: readonly EntryKey[], at: number): void {
    this.touchIds(keys.filter(hasId).map((key) => entryId(this.#options.keys, key)), at);
  }

  touchIds(ids: readonly EntryId[], at: number): void {
    for (const id of ids) {
      const name = toHex(id);
      if (!this.#world.versions.has(name)) continue;
      this.#used.set(name, Math.max(at, this.#used.get(name) ?? 0));
    }
  }

  totals(): IndexTotals {
    const world = this.#open("index.totals");
    const sizes = [...world.visible.values()].flatMap((seen) => [...seen.values()]);
    return {
      entries: [...world.versions.values()].filter((item) => item.type === "entry").length,
      blobs: sizes.length,
      logical_bytes: sizes.reduce((sum, size) => sum + size, 0),
    };
  }

  async replacements(key: EntryKey): Promise<Replacement[]> {
    const world = this.#open("index.replacements");
    return hasId(key) ? world.replaced.get(this.#name(key)) ?? [] : [];
  }

  async commit(batch: IndexBatch): Promise<IndexCommit> {
    this.#open("index.commit");
    const result = this.#tail.then(() => this.#commitAlone(batch));
    this.#tail = result.catch(() => {}); // the caller hears of it
    return await result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }

  async #commitAlone(batch: IndexBatch): Promise<IndexCommit> {
    const world = copyWorld(this.#world);
    for (const { namespace, digest } of batch.unlink ?? []) {
      world.visible.get(namespace)?.delete(digest);
    }
    let removed = 0;
    for (const key of batch.remove ?? []) if (this.#remove(world, key)) removed++;
    const linked = new Set<string>();
    for (const { namespace, blob } of batch.link ?? []) {
      checkLink(namespace, blob);
      if (!world.visible.has(namespace)) world.visible.set(namespace, new Map());
      world.visible.get(namespace)?.set(blob.digest, blob.size);
      linked.add(`${namespace} ${blob.digest}`);
    }
    const puts: PutOutcome[] = [];
    for (const draft of batch.entries ?? []) puts.push(await this.#put(world, { draft, linked }));
    this.#world = world;
    return { puts, removed };
  }

  #remove(world: World, key: RemoveKey): boolean {
    const item = this.#version(world, key);
    if (item?.type !== "entry") return false;
    if (key.sequence !== undefined && key.sequence !== item.entry.sequence) return false;
    const identity = identityOf(key);
    const { record } = encodeTombstone(identity, this.#nextVersion(world), this.#context);
    const { stamp } = decodeTombstone(record.body, this.#context);
    const tombstone = { ...identity, stamp, sequence: ++world.sequence };
    world.versions.set(toHex(record.id), { type: "tombstone", tombstone });
    return true;
  }

  async #put(
    world: World,
    { draft, linked }: { draft: EntryDraft; linked: ReadonlySet<string> },
  ): Promise<PutOutcome> {
    const before = this.#version(world, draft);
    const replaced = before?.type === "entry" ? before.entry : undefined;
    if (draft.mutability === "immutable" && replaced) {
      const { namespace } = draft;
      const others = replaced.blobs.filter((blob) => !linked.has(`${namespace} ${blob.digest}`));
      const visible = world.visible.get(namespace);
      const unlinked = others.some(({ digest }) =>
        this.#world.visible.get(namespace)?.has(digest) && !visible?.has(digest)
      );
      if (!unlinked && (others.length === 0 || await this.#options.present(namespace, others))) {
        throw new CacheError("conflict", `Cannot replace entry "${draft.key}": it is immutable`, {
          operation: "index.put",
        });
      }
    }
    for (const blob of draft.blobs) checkSize(blob);
    const { record } = encodeEntry(draft, this.#nextVersion(world), this.#context);
    const { facts, stamp } = decodeEntry(record.body, this.#context);
    const name = toHex(record.id);
    const entry: Entry = {
      ...facts,
      stamp,
      sequence: ++world.sequence,
      used: this.#used.get(name) ?? 0,
    };
    world.versions.set(name, { type: "entry", entry });
    if (replaced) {
      const log = [replacementOf(replaced, facts), ...world.replaced.get(name) ?? []];
      world.replaced.set(name, log.slice(0, MAX_REPLACEMENTS));
    }
    return { entry, replaced };
  }

  #nextVersion(world: World): { epoch: number; hlc: bigint; device: string } {
    world.hlc = nextHlc(world.hlc, this.#options.clock.now());
    return { epoch: 0, hlc: world.hlc, device: this.#options.device };
  }

  #version(world: World, key: EntryKey): ScanItem | undefined {
    if (!hasId(key)) return undefined;
    const name = this.#name(key);
    const item = world.versions.get(name);
    return item && this.#withUse(name, item);
  }

  #withUse(name: string, item: ScanItem): ScanItem {
    if (item.type === "tombstone") return item;
    return { type: "entry", entry: { ...item.entry, used: this.#used.get(name) ?? 0 } };
  }

  #name(key: EntryKey): string {
    return toHex(entryId(this.#options.keys, key));
  }

  async #isComplete({ namespace, blobs }: Entry): Promise<boolean> {
    return blobs.length === 0 || await this.#options.present(namespace, blobs);
  }

  /** All versions of a namespace and scope by their item ids. */
  *#items(namespace: string, scope: string): Generator<[Bytes, ScanItem], void, undefined> {
    for (const item of this.#open("index.summary").versions.values()) {
      const key = keyOf(item);
      if (key.namespace !== namespace || key.scope !== scope) continue;
      const { stamp } = item.type === "entry" ? item.entry : item.tombstone;
      yield [itemId(this.#options.keys, entryId(this.#options.keys, key), stamp), item];
    }
  }

  #open(operation: string): World {
    if (!this.#closed) return this.#world;
    throw new CacheError("unavailable", "Cannot use the index: it is closed, want an open one", {
      operation,
      retry: "permanent",
    });
  }
}
