/** Objects in memory: the reference that every other medium is compared with, and the mock. */
import { throwIfAborted } from "../core/abort.ts";
import { bytesBody, concat } from "../core/bytes.ts";
import type { ByteSource, ObjectBody, SignalOptions } from "../core/bytes.ts";
import { systemClock } from "../core/clock.ts";
import type { Clock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { INLINE_OBJECT_BYTES, READ_SLICE_BYTES } from "../core/limits.ts";
import { assertObjectKey } from "../core/object_store.ts";
import type {
  Capability,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
} from "../core/object_store.ts";
import { drain } from "./drain.ts";
import { resolveRange } from "./object_range.ts";
import { pullBody } from "./pull_body.ts";

/** Options of {@linkcode MemoryObjectStore}. */
export interface MemoryObjectStoreOptions {
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** Bytes of all objects together; more is `quota_exceeded`, as on a full disk. Default: no limit. */
  readonly capacity?: number;
}

interface Stored {
  readonly bytes: Bytes;
  readonly modified: number;
}

/**
 * An {@linkcode ObjectStore} that is gone with its process; "durable" means "in the map". As strict
 * as the strictest medium: it checks keys, sizes and ranges, shares no memory with its callers,
 * and answers small objects as `bytes`, larger ones as a stream, as the folder does.
 */
export class MemoryObjectStore implements ObjectStore {
  readonly name = "memory:";
  readonly capability: Capability = {
    ordered: true,
    range: true,
    atomicPut: true,
    maxSize: undefined,
    pathOf: () => undefined,
  };
  readonly #objects = new Map<string, Stored>();
  readonly #clock: Clock;
  readonly #capacity: number | undefined;

  constructor(options: MemoryObjectStoreOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#capacity = options.capacity;
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    assertObjectKey(key);
    throwIfAborted(options.signal);
    // The array is never written again: a reader keeps what it began to read.
    const bytes = this.#objects.get(key)?.bytes;
    if (bytes === undefined) return undefined;
    const { start, end } = resolveRange(options.range, bytes.length);
    if (end - start <= INLINE_OBJECT_BYTES) return bytesBody(bytes.slice(start, end), bytes.length);
    let offset = start;
    return pullBody({
      read() {
        if (offset >= end) return undefined;
        const from = offset;
        offset = Math.min(end, offset + READ_SLICE_BYTES);
        return bytes.slice(from, offset);
      },
      close() {},
    }, { size: end - start, total: bytes.length, signal: options.signal });
  }

  async put(key: string, source: ByteSource, options: SignalOptions = {}): Promise<ObjectInfo> {
    assertObjectKey(key);
    const parts: Bytes[] = [];
    const size = await drain(source, (chunk) => void parts.push(chunk.slice()), {
      key,
      signal: options.signal,
      maxSize: undefined,
    });
    throwIfAborted(options.signal);
    this.#checkRoom(key, size);
    this.#objects.set(key, { bytes: concat(parts, size), modified: this.#clock.now() });
    return this.#info(key)!;
  }

  async stat(
    keys: readonly string[],
    options: SignalOptions = {},
  ): Promise<(ObjectInfo | undefined)[]> {
    keys.forEach(assertObjectKey);
    throwIfAborted(options.signal);
    return keys.map((key) => this.#info(key));
  }

  async delete(keys: readonly string[], options: SignalOptions = {}): Promise<void> {
    keys.forEach(assertObjectKey);
    throwIfAborted(options.signal);
    for (const key of keys) this.#objects.delete(key);
  }

  async *list(options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    throwIfAborted(options.signal);
    const { prefix = "", after = "" } = options;
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && key > after);
    for (const key of keys.sort()) {
      throwIfAborted(options.signal);
      const info = this.#info(key);
      if (info) yield info;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #info(key: string): ObjectInfo | undefined {
    const stored = this.#objects.get(key);
    return stored && { key, size: stored.bytes.length, modified: stored.modified };
  }

  #checkRoom(key: string, size: number): void {
    if (this.#capacity === undefined) return;
    let used = size;
    for (const [other, { bytes }] of this.#objects) if (other !== key) used += bytes.length;
    if (used <= this.#capacity) return;
    throw new CacheError(
      "quota_exceeded",
      `Cannot store object "${key}" of ${size} bytes: want at most ${this.#capacity} bytes in all`,
      { operation: "memory.put", context: { key, size } },
    );
  }
}
