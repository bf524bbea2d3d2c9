/** What one thread reads with: packs, index, blob stores, and the way to the writer. */
import type { DomainKeys } from "../codec/entry_id.ts";
import { noSeal } from "../codec/seal.ts";
import type { ChunkSource, WriterPort } from "../core/chunk_store.ts";
import type { Clock } from "../core/clock.ts";
import type { Counters } from "../core/counters.ts";
import type { EntryId } from "../core/entry.ts";
import type { CacheError } from "../core/errors.ts";
import type { KnownBlobs } from "../core/known_blobs.ts";
import type { KeyFilter } from "../core/key_filter.ts";
import type { RowsBehind } from "../core/rows_behind.ts";
import type { IndexQueries, Present } from "../index/contract.ts";
import { openIndexReader } from "../index/open.ts";
import { Blocks } from "../store/cas/blocks.ts";
import { createCasStore } from "../store/cas/cas_store.ts";
import { blobsPresent, idOf, Presence } from "../store/cas/presence.ts";
import { receive } from "../store/cas/receive.ts";
import { EngineCache } from "./engine_cache.ts";

/** Totals of the packs. */
export interface RecordTotals {
  readonly chunks: number;
  readonly stored_bytes: number;
}

/** Options of {@linkcode openThreadStack}. */
export interface ThreadStackOptions {
  readonly indexPath: string;
  readonly keys: DomainKeys;
  readonly chunks: ChunkSource;
  readonly port: WriterPort;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly maxBlobSize: number;
  /** The writer's: entries that it excludes are not looked for. */
  readonly filter: KeyFilter;
  /** Whether rows of the writer are still open. */
  readonly behind: RowsBehind;
  /** The writer's table of blobs. Default: all of them are looked for. */
  readonly known?: KnownBlobs | undefined;
  recordTotals(): RecordTotals;
  forwardTouch(ids: readonly EntryId[], at: number): void;
  report(error: CacheError): void;
}

/** A cache for one thread; disposing it closes the index's connection, not the rest. */
export interface ThreadStack extends AsyncDisposable {
  readonly cache: EngineCache;
  readonly index: IndexQueries;
}

/** Puts the parts of a thread together. */
export function openThreadStack(options: ThreadStackOptions): ThreadStack {
  const { known, chunks, port, clock, counters, maxBlobSize } = options;
  const presence = new Presence(chunks);
  const blocks = new Blocks({
    losses: () => chunks.losses(),
    held: () => counters.get("answer_bytes"),
  });
  const present: Present = (namespace, blobs) =>
    blobsPresent(namespace, blobs, { presence, visibility: index.visibility });
  const index = openIndexReader({
    path: options.indexPath,
    keys: options.keys,
    seal: noSeal,
    present,
    filter: options.filter,
    behind: options.behind,
    report: options.report,
    forwardTouch: options.forwardTouch,
  });
  const { visibility } = index;
  const cache = new EngineCache({
    entries: index,
    port,
    counters,
    openBlobs: (namespace) =>
      createCasStore({ namespace, known, chunks, visibility, presence, blocks, port, maxBlobSize }),
    receive: (source, { signal }) =>
      receive(source, { port, upload: crypto.randomUUID(), limit: maxBlobSize, signal }),
    touchEntries: (keys) => index.touch(keys, clock.now()),
    // Bodies that are kept in memory are smaller than a chunk may be.
    touchBody: ({ digest }) => port.touch("chunk", [idOf(digest)]),
    absence: (key) => index.absence(key),
    now: () => clock.monotonic(),
    totals: () => ({ ...index.totals(), ...options.recordTotals() }),
  });
  return {
    cache,
    index,
    async [Symbol.asyncDispose]() {
      await cache[Symbol.asyncDispose]();
      await index[Symbol.asyncDispose]();
    },
  };
}
