/** The engine as a `Cache`: blob store, index and writer, as one thread sees them. */
import type { BatchBlobStore } from "../core/blob_batches.ts";
import type { ByteSource, ObjectBody, SignalOptions } from "../core/bytes.ts";
import type {
  Cache,
  EntryLookup,
  EntryMemory,
  Hold,
  Recalled,
  RemoveOptions,
  Totals,
} from "../core/cache.ts";
import type { CommitBatch, WriterPort } from "../core/chunk_store.ts";
import type { Counters } from "../core/counters.ts";
import type { Bytes } from "../core/digest.ts";
import type { BlobRef, Entry, EntryDraft, EntryKey, RemoveKey } from "../core/entry.ts";
import { bytesBody } from "../core/bytes.ts";
import { CacheError } from "../core/errors.ts";
import { withTreeBlobs } from "../codec/tree_entry.ts";
import { FoundEntries } from "./found_entries.ts";
import type { PutOutcome, ScanItem, ScanOptions } from "../core/metadata_index.ts";

/** What the index answers on this thread. */
export interface EntryReader {
  get(key: EntryKey, options?: SignalOptions): Promise<Entry | undefined>;
  scan(options?: ScanOptions): AsyncIterable<ScanItem>;
}

/** A body that was read, hashed and handed to the writer, but not committed yet. */
export interface ReceivedBody {
  readonly blob: BlobRef;
  readonly batch: CommitBatch;
}

/** What an {@linkcode EngineCache} is made of. */
export interface EngineCacheParts {
  readonly entries: EntryReader;
  readonly port: WriterPort;
  readonly counters: Counters;
  openBlobs(namespace: string): BatchBlobStore;
  receive(source: ByteSource, options: SignalOptions): Promise<ReceivedBody>;
  touchEntries(keys: readonly EntryKey[]): void;
  /** Notes a use of a small body that was answered from memory. */
  touchBody(blob: BlobRef): void;
  /**
   * A question that is answered without a look at the store: whether there is certainly no entry
   * with this identity, not even an incomplete one.
   */
  absence(key: EntryKey): () => boolean;
  /** Milliseconds; only differences count. */
  now(): number;
  totals(): Omit<Totals, "hits" | "misses">;
}

/** The name of whoever works on the folder itself. */
export const LOCAL_WRITER = "local";

/** Namespaces whose blob stores are kept open; one more only costs a new object. */
const MAX_OPEN_NAMESPACES = 1024;

/** A cache over the engine's parts. Disposing it closes none of them. */
export class EngineCache implements Cache, EntryMemory {
  readonly #parts: EngineCacheParts;
  readonly #blobs = new Map<string, BatchBlobStore>();
  readonly #found: FoundEntries;

  constructor(parts: EngineCacheParts) {
    this.#parts = parts;
    this.#found = new FoundEntries(parts);
  }

  blobs(namespace: string): BatchBlobStore {
    let store = this.#blobs.get(namespace);
    if (!store) {
      if (this.#blobs.size >= MAX_OPEN_NAMESPACES) this.#blobs.clear();
      store = this.#parts.openBlobs(namespace);
      this.#blobs.set(namespace, store);
    }
    return store;
  }

  async find(lookup: EntryLookup, options?: SignalOptions): Promise<Entry | undefined> {
    const { namespace, protocol, key } = lookup;
    for (const scope of lookup.scopes) {
      const entry = await this.#found.get({ namespace, scope, protocol, key }, options);
      if (!entry) continue;
      this.#noteHit(entry);
      return entry;
    }
    this.#parts.counters.add("misses");
    return undefined;
  }

  recall({ namespace, scopes, protocol, key }: EntryLookup): Recalled | undefined {
    for (const scope of scopes) {
      const identity = { namespace, scope, protocol, key };
      const entry = this.#found.peek(identity);
      if (entry) {
        this.#noteHit(entry);
        return { entry };
      }
      if (!this.#parts.absence(identity)()) return undefined;
    }
    this.#parts.counters.add("misses");
    return { entry: undefined };
  }

  bytes(entry: Entry): Bytes | undefined {
    return this.#found.body(entry);
  }

  hold({ namespace, scopes, protocol, key }: EntryLookup, entry: Entry): Hold | undefined {
    const same = this.#found.watch(entry);
    if (!same) return undefined;
    // What would be found in front of it must not be there at all: an entry that is incomplete
    // becomes complete without a change of its own.
    const earlier = scopes.slice(0, scopes.indexOf(entry.scope))
      .map((scope) => this.#parts.absence({ namespace, scope, protocol, key }));
    const { counters } = this.#parts;
    const isUse = this.#found.uses(entry);
    let holds = true;
    return (now) => {
      holds &&= same(now) && earlier.every((isAbsent) => isAbsent());
      if (!holds) return false;
      counters.add("hits");
      if (isUse(now)) this.#touch(entry);
      return true;
    };
  }

  #noteHit(entry: Entry): void {
    this.#parts.counters.add("hits");
    if (this.#found.uses(entry)(this.#parts.now())) this.#touch(entry);
  }

  /** A body in memory is not read, so that the packs would take it for unused. */
  #touch(entry: Entry): void {
    this.#parts.touchEntries([entry]);
    const first = entry.blobs[0];
    if (first && this.#found.body(entry)) this.#parts.touchBody(first);
  }

  async body(entry: Entry, options?: SignalOptions): Promise<ObjectBody | undefined> {
    const hot = this.#found.body(entry);
    if (hot) return bytesBody(hot);
    const first = entry.blobs[0];
    const body = first && await this.blobs(entry.namespace).get(first.digest, options);
    if (body?.bytes) this.#found.keepBody(entry, body.bytes);
    return body;
  }

  async put(draft: EntryDraft, body: ByteSource, options: SignalOptions = {}): Promise<PutOutcome> {
    if (draft.content === "tree") {
      const manifest = await this.blobs(draft.namespace).put(undefined, body, options);
      return await this.link({ ...draft, blobs: [manifest, ...draft.blobs] }, options);
    }
    const { blob, batch } = await this.#parts.receive(body, options);
    const { namespace } = draft;
    const entry = { ...draft, blobs: [blob, ...draft.blobs] };
    const link = blob.size === 0 ? [] : [{ namespace, blob }];
    return put(await this.#parts.port.commit({ ...batch, link, entry }));
  }

  async link(given: EntryDraft, options?: SignalOptions): Promise<PutOutcome> {
    const draft = await withTreeBlobs(given, this.blobs(given.namespace), options);
    const digests = draft.blobs.map((blob) => blob.digest);
    const found = await this.blobs(draft.namespace).stat(digests, options);
    const missing = draft.blobs.findIndex((blob, n) => found[n]?.size !== blob.size);
    if (missing >= 0) {
      throw new CacheError(
        "precondition_failed",
        `Cannot put "${draft.key}": its blob ${digests[missing]} is not here`,
        { operation: "cache.link", hint: "upload the blobs first" },
      );
    }
    return put(await this.#parts.port.commit({ entry: draft }));
  }

  async remove(keys: readonly RemoveKey[], options: RemoveOptions = {}): Promise<number> {
    if (keys.length === 0) return 0;
    const { by = LOCAL_WRITER } = options;
    return (await this.#parts.port.commit({ remove: keys, by })).removed;
  }

  scan(options?: ScanOptions): AsyncIterable<ScanItem> {
    return this.#parts.entries.scan(options);
  }

  totals(): Promise<Totals> {
    const { counters } = this.#parts;
    return Promise.resolve({
      ...this.#parts.totals(),
      hits: counters.get("hits"),
      misses: counters.get("misses"),
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#blobs.clear();
    return Promise.resolve();
  }
}

function put(result: { put: PutOutcome | undefined }): PutOutcome {
  if (result.put) return result.put;
  throw new CacheError("internal", "Cannot put the entry: the writer did not answer for it");
}
