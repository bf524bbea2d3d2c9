/** A whole Cache in two maps: small, and as strict as the real one. Not for production. */
import { DIGEST_BYTES, digestAt, setBit } from "../../core/digest_list.ts";
import { createHash } from "node:crypto";
import { checkBatch } from "../../core/blob_batches.ts";
import type { BatchBlobStore } from "../../core/blob_batches.ts";
import { withTreeBlobs } from "../../codec/tree_entry.ts";
import type { ByteSource, ObjectBody, SignalOptions } from "../../core/bytes.ts";
import { bytesBody, bytesSource, collect, streamBody, streamOf } from "../../core/bytes.ts";
import type { Cache, EntryLookup, Totals } from "../../core/cache.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import { digestFromBytes, EMPTY_DIGEST } from "../../core/digest.ts";
import type { Entry, EntryDraft, EntryKey } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { SMALL_BODY_BYTES } from "../../core/limits.ts";
import type { PutOutcome, ScanItem, ScanOptions } from "../../core/metadata_index.ts";

/** What a test can make fail, as `blobs.get`, `find`, `put`. */
export type FaultPlan = (operation: string) => CacheError | undefined;

/** {@linkcode createMemoryCache}'s result: the cache, and a look behind the curtain. */
export interface MemoryCache extends Cache {
  /** Asked before each operation; what it returns is thrown. */
  fault: FaultPlan;
  /** Operations so far, by name. */
  readonly calls: Map<string, number>;
  /** Loses the bytes of a blob, as eviction does. */
  lose(digest: Digest): void;
  /** Bodies handed out whose stream is neither read to its end nor cancelled. */
  readonly openStreams: number;
}

const EMPTY = new Uint8Array(0);

/** Makes an empty cache; bodies above `smallBytes` come as streams. */
export function createMemoryCache(smallBytes = SMALL_BODY_BYTES): MemoryCache {
  const stored = new Map<Digest, Bytes>([[EMPTY_DIGEST, EMPTY]]);
  const visible = new Map<string, Set<Digest>>();
  const entries = new Map<string, Entry>();
  const calls = new Map<string, number>();
  let sequence = 0;
  let hits = 0;
  let misses = 0;
  let openStreams = 0;

  function enter(operation: string, options?: SignalOptions): void {
    options?.signal?.throwIfAborted();
    calls.set(operation, (calls.get(operation) ?? 0) + 1);
    const error = cache.fault(operation);
    if (error) throw error;
  }
  function seen(namespace: string): Set<Digest> {
    const set = visible.get(namespace) ?? new Set([EMPTY_DIGEST]);
    visible.set(namespace, set);
    return set;
  }
  function look(namespace: string, digest: Digest): Bytes | undefined {
    return seen(namespace).has(digest) ? stored.get(digest) : undefined;
  }
  function isComplete(entry: Entry): boolean {
    return entry.blobs.every(({ digest, size }) => look(entry.namespace, digest)?.length === size);
  }
  function bodyOf(bytes: Bytes, total: number): ObjectBody {
    if (bytes.length <= smallBytes) return bytesBody(bytes, total);
    const sizes = { size: bytes.length, total };
    return streamBody(() => counted(streamOf(bytes)), sizes);
  }
  function counted(inner: ReadableStream<Bytes>): ReadableStream<Bytes> {
    const reader = inner.getReader();
    openStreams++;
    return new ReadableStream<Bytes>({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        openStreams--;
        controller.close();
      },
      async cancel(reason) {
        openStreams--;
        await reader.cancel(reason);
      },
    }, { highWaterMark: 0 });
  }
  async function receive(
    digest: Digest | undefined,
    source: ByteSource,
    options?: SignalOptions,
  ): Promise<[Digest, Bytes]> {
    const bytes = source.bytes ?? await collect(source.open(options), 1024 ** 3);
    const found = digestFromBytes(createHash("sha256").update(bytes).digest());
    if (source.size !== undefined && source.size !== bytes.length) {
      throw new CacheError(
        "invalid_argument",
        `Cannot store the blob: ${bytes.length} bytes, want ${source.size}`,
      );
    }
    if (digest !== undefined && digest !== found) {
      throw new CacheError("invalid_argument", `Cannot store the blob: digest differs`);
    }
    options?.signal?.throwIfAborted();
    return [found, bytes];
  }
  function commit(draft: EntryDraft): PutOutcome {
    const id = identity(draft);
    const replaced = entries.get(id);
    if (draft.mutability === "immutable" && replaced && isComplete(replaced)) {
      throw new CacheError("conflict", `Cannot write "${draft.key}": it is there already`);
    }
    const { mutability: _, ...facts } = draft;
    sequence++;
    const stamp = { epoch: 0, hlc: BigInt(sequence), device: "0".repeat(16), valueHash: "00" };
    const entry: Entry = { ...facts, stamp, sequence, used: 0 };
    entries.set(id, entry);
    return { entry, replaced };
  }
  function blobs(namespace: string): BatchBlobStore {
    return {
      namespace,
      async get(digest, options) {
        enter("blobs.get", options);
        const bytes = look(namespace, digest);
        if (!bytes) return undefined;
        const { start, end } = options?.range ?? { start: 0, end: bytes.length };
        if (options?.range && start >= bytes.length) {
          throw new CacheError("range_not_satisfiable", "Cannot read the range: past the end");
        }
        return bodyOf(bytes.slice(start, end), bytes.length);
      },
      async put(digest, source, options) {
        enter("blobs.put", options);
        const [found, bytes] = await receive(digest, source, options);
        stored.set(found, bytes);
        seen(namespace).add(found);
        return { digest: found, size: bytes.length };
      },
      async stat(digests, options) {
        enter("blobs.stat", options);
        return digests.map((digest) => {
          const bytes = look(namespace, digest);
          return bytes && { digest, size: bytes.length };
        });
      },
      async missing(digests, options) {
        enter("blobs.missing", options);
        return new Set(digests.filter((digest) => !look(namespace, digest)));
      },
      async missingBits(digests, options) {
        enter("blobs.missing", options);
        const bits = new Uint8Array(Math.ceil(digests.length / DIGEST_BYTES / 8));
        for (let n = 0; n < digests.length / DIGEST_BYTES; n++) {
          if (!look(namespace, digestAt(digests, n))) setBit(bits, n);
        }
        return bits;
      },
      async putBatch(batch, options) {
        enter("blobs.putBatch", options);
        checkBatch(batch.map(({ bytes }) => bytes.length));
        const received = await Promise.all(
          batch.map(({ digest, bytes }) => receive(digest, bytesSource(bytes.slice()))),
        );
        for (const [found, bytes] of received) {
          stored.set(found, bytes);
          seen(namespace).add(found);
        }
      },
      async getBatch(refs, options) {
        enter("blobs.getBatch", options);
        checkBatch(refs.map(({ size }) => size));
        return refs.flatMap(({ digest, size }) => {
          const bytes = look(namespace, digest);
          return bytes?.length === size ? [{ digest, bytes: bytes.slice() }] : [];
        });
      },
      async delete(digests, options) {
        enter("blobs.delete", options);
        for (const digest of digests) if (digest !== EMPTY_DIGEST) seen(namespace).delete(digest);
      },
      async *list(options) {
        enter("blobs.list", options);
        for (const digest of [...seen(namespace)].sort()) {
          if (options?.after !== undefined && digest <= options.after) continue;
          yield { digest, size: look(namespace, digest)?.length ?? 0 };
        }
      },
      async [Symbol.asyncDispose]() {},
    };
  }

  const cache: MemoryCache = {
    fault: () => undefined,
    calls,
    get openStreams() {
      return openStreams;
    },
    lose(digest) {
      stored.delete(digest);
    },
    blobs,
    async find({ scopes, ...rest }: EntryLookup, options) {
      enter("find", options);
      for (const scope of scopes) {
        const entry = entries.get(identity({ ...rest, scope }));
        if (!entry || !isComplete(entry)) continue;
        hits++;
        return entry;
      }
      misses++;
      return undefined;
    },
    async body(entry, options) {
      enter("body", options);
      const bytes = look(entry.namespace, entry.blobs[0]!.digest);
      return bytes && bodyOf(bytes, bytes.length);
    },
    async put(draft, source, options) {
      enter("put", options);
      const [digest, bytes] = await receive(undefined, source, options);
      if (draft.content === "tree") {
        stored.set(digest, bytes);
        seen(draft.namespace).add(digest);
        const size = bytes.length;
        return await cache.link({ ...draft, blobs: [{ digest, size }, ...draft.blobs] }, options);
      }
      const outcome = commit({ ...draft, blobs: [{ digest, size: bytes.length }, ...draft.blobs] });
      stored.set(digest, bytes);
      seen(draft.namespace).add(digest);
      return outcome;
    },
    async link(given, options) {
      enter("link", options);
      const draft = await withTreeBlobs(given, blobs(given.namespace), options);
      for (const { digest, size } of draft.blobs) {
        if (look(draft.namespace, digest)?.length === size) continue;
        throw new CacheError("precondition_failed", `Cannot write "${draft.key}": no ${digest}`);
      }
      return commit(draft);
    },
    async remove(keys, options) {
      enter("remove", options);
      return keys.filter((key) => {
        const { sequence: at } = entries.get(identity(key)) ?? {};
        return (key.sequence ?? at) === at && entries.delete(identity(key));
      }).length;
    },
    scan: (options) =>
      scan([...entries.values()].filter((one) => options?.incomplete || isComplete(one)), options),
    async totals(): Promise<Totals> {
      enter("totals");
      const all = [...visible.values()].flatMap((set) => [...set]);
      const sizes = all.map((digest) => stored.get(digest)?.length ?? 0);
      const logical = sizes.reduce((sum, size) => sum + size, 0);
      return {
        entries: entries.size,
        blobs: all.length,
        chunks: stored.size,
        logical_bytes: logical,
        stored_bytes: logical,
        hits,
        misses,
      };
    },
    async [Symbol.asyncDispose]() {},
  };
  return cache;
}

function identity({ namespace, scope, protocol, key }: EntryKey): string {
  return JSON.stringify([namespace, scope, protocol, key]);
}

async function* scan(all: Entry[], options: ScanOptions = {}): AsyncIterable<ScanItem> {
  const rank = (key: EntryKey) => [key.namespace, key.scope, key.protocol, key.key];
  const compare = (a: EntryKey, b: EntryKey) => {
    const [left, right] = [rank(a), rank(b)];
    const at = left.findIndex((part, i) => part !== right[i]);
    return at < 0 ? 0 : left[at]! < right[at]! ? -1 : 1;
  };
  const { namespace, scopes, protocol, prefix = "", after, limit = Infinity } = options;
  let count = 0;
  const newest = options.order === "newest";
  const order = newest ? (a: Entry, b: Entry) => b.sequence - a.sequence : compare;
  for (const entry of all.sort(order)) {
    if (count >= limit) return;
    if (namespace !== undefined && entry.namespace !== namespace) continue;
    if (scopes && !scopes.includes(entry.scope)) continue;
    if (protocol !== undefined && entry.protocol !== protocol) continue;
    if (!entry.key.startsWith(prefix)) continue;
    if (after && compare(entry, after) <= 0) continue;
    count++;
    yield { type: "entry", entry };
  }
}
