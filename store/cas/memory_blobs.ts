/** Blobs in maps, whole: the reference that every other blob store is compared with. */
import { throwIfAborted } from "../../core/abort.ts";
import type { BlobGetOptions, BlobStore } from "../../core/blob_store.ts";
import type { ByteSource, ObjectBody, SignalOptions } from "../../core/bytes.ts";
import { bytesBody, concat } from "../../core/bytes.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import { digestOf, EMPTY_DIGEST } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_BLOB_BYTES, SMALL_BODY_BYTES } from "../../core/limits.ts";
import { drain } from "../drain.ts";
import { resolveRange } from "../object_range.ts";
import { pullBody } from "../pull_body.ts";

/** Bytes of one part of a long body. */
const SLICE_BYTES = 256 * 1024;

/** The bytes of all namespaces, and who sees which. */
export interface MemoryBlobWorld {
  readonly stored: Map<Digest, Bytes>;
  readonly visible: Map<string, Set<Digest>>;
  /** Bytes of the largest blob. Default: {@linkcode MAX_BLOB_BYTES}. */
  readonly maxBlobSize?: number;
}

/** A world with nothing in it. */
export function createMemoryBlobWorld(maxBlobSize = MAX_BLOB_BYTES): MemoryBlobWorld {
  return { stored: new Map(), visible: new Map(), maxBlobSize };
}

/**
 * The blobs of one namespace of a world. Strict: each `put` reads and verifies everything, memory
 * is shared with no caller, and an abort counts until the very last step. It holds whole blobs, so
 * it is for tests and small tools.
 */
export class MemoryBlobStore implements BlobStore {
  readonly namespace: string;
  readonly #world: MemoryBlobWorld;

  /** Stores of the same world share their bytes. */
  constructor(namespace: string, world: MemoryBlobWorld = createMemoryBlobWorld()) {
    this.namespace = namespace;
    this.#world = world;
  }

  async get(digest: Digest, options: BlobGetOptions = {}): Promise<ObjectBody | undefined> {
    throwIfAborted(options.signal);
    const bytes = this.#look(digest);
    if (!bytes) return undefined;
    const { start, end } = resolveRange(options.range, bytes.length);
    const size = end - start;
    if (size <= SMALL_BODY_BYTES) return bytesBody(bytes.slice(start, end), bytes.length);
    let at = start;
    return pullBody({
      read() {
        if (at >= end) return undefined;
        const part = bytes.slice(at, Math.min(at + SLICE_BYTES, end));
        at += part.length;
        return part;
      },
      close() {},
    }, { size, total: bytes.length, signal: options.signal });
  }

  async put(
    digest: Digest | undefined,
    source: ByteSource,
    options: SignalOptions = {},
  ): Promise<BlobRef> {
    const { signal } = options;
    const { maxBlobSize: maxSize } = this.#world;
    if (signal?.aborted && !source.replayable && !source.bytes) {
      // The signal's reason is what is reported.
      await source.open().cancel().catch(() => {});
    }
    const parts: Bytes[] = [];
    const keep = (part: Bytes) => void parts.push(part.slice());
    await drain(source, keep, { key: digest ?? "blob", maxSize, signal });
    const bytes = new Uint8Array(concat(parts));
    const found = digestOf(bytes);
    throwIfAborted(signal);
    if (digest !== undefined && digest !== found) {
      throw new CacheError(
        "invalid_argument",
        `Cannot store the blob: its bytes have digest "${found}", want "${digest}"`,
        { operation: "memory_blobs.put" },
      );
    }
    const blob = { digest: found, size: bytes.length };
    if (found === EMPTY_DIGEST) return blob;
    this.#world.stored.set(found, bytes);
    this.#seen().add(found);
    return blob;
  }

  async stat(
    digests: readonly Digest[],
    options: SignalOptions = {},
  ): Promise<(BlobRef | undefined)[]> {
    throwIfAborted(options.signal);
    return digests.map((digest) => {
      const bytes = this.#look(digest);
      return bytes && { digest, size: bytes.length };
    });
  }

  async delete(digests: readonly Digest[], options: SignalOptions = {}): Promise<void> {
    throwIfAborted(options.signal);
    for (const digest of digests) this.#seen().delete(digest);
  }

  async *list(
    options: SignalOptions & { after?: Digest | undefined } = {},
  ): AsyncIterable<BlobRef> {
    const { after, signal } = options;
    throwIfAborted(signal);
    for (const digest of [...this.#seen()].sort()) {
      throwIfAborted(signal);
      const bytes = this.#look(digest);
      if (bytes && (after === undefined || digest > after)) yield { digest, size: bytes.length };
    }
  }

  /** Loses the bytes of a blob in every namespace, as eviction does. */
  lose(digest: Digest): void {
    this.#world.stored.delete(digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #look(digest: Digest): Bytes | undefined {
    if (digest === EMPTY_DIGEST) return new Uint8Array(0);
    return this.#seen().has(digest) ? this.#world.stored.get(digest) : undefined;
  }
  #seen(): Set<Digest> {
    let seen = this.#world.visible.get(this.namespace);
    if (!seen) this.#world.visible.set(this.namespace, seen = new Set());
    return seen;
  }
}
