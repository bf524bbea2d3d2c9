/** The blobs of one namespace over chunks: who may see them is asked first, then what is here. */
import { checkBatch } from "../../core/blob_batches.ts";
import type { BatchBlobStore, SmallBlob } from "../../core/blob_batches.ts";
import type { BlobGetOptions } from "../../core/blob_store.ts";
import type { ByteSource, ObjectBody, SignalOptions } from "../../core/bytes.ts";
import { bytesBody } from "../../core/bytes.ts";
import { throwIfAborted } from "../../core/abort.ts";
import type { ChunkSource, WriterPort } from "../../core/chunk_store.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import {
  DIGEST_BYTES,
  digestAt,
  hasBit,
  isEmptyDigest,
  packDigests,
  setBit,
} from "../../core/digest_list.ts";
import { EMPTY_DIGEST } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import type { KnownBlobs } from "../../core/known_blobs.ts";
import type { Visibility } from "../../core/metadata_index.ts";
import { getBatch, putBatch } from "./batches.ts";
import type { Blocks } from "./blocks.ts";
import { resolveRange } from "../object_range.ts";
import type { Presence } from "./presence.ts";
import { readBlob } from "./read_blob.ts";
import type { ReadWorld } from "./blob_reader.ts";
import { receive } from "./receive.ts";

/** Options of {@linkcode createCasStore}. */
export interface CasStoreOptions {
  readonly namespace: string;
  readonly chunks: ChunkSource;
  readonly visibility: Visibility;
  /** Knows of most blobs without a look-up. Default: nobody does. */
  readonly known?: KnownBlobs | undefined;
  /** Shared by all namespaces of a thread. */
  readonly presence: Presence;
  /** Shared likewise: what readers of the same blob have in common. */
  readonly blocks: Blocks;
  readonly port: WriterPort;
  /** Bytes of the largest blob. */
  readonly maxBlobSize: number;
  /** Compare SHA-256 on reads too. Default: only the CRC-32 of each record. */
  readonly verifyReads?: boolean | undefined;
}

/** Blobs listed at a time. */
const PAGE = 1000;
/** Blobs taken out of a namespace in one step. */
const DELETE_STEP = 1000;

/** The blobs of a namespace. Disposing it closes nothing: chunks and writer belong to others. */
export function createCasStore(options: CasStoreOptions): BatchBlobStore {
  return new CasStore(options);
}

class CasStore implements BatchBlobStore {
  readonly #options: CasStoreOptions;
  readonly #world: ReadWorld;

  constructor(options: CasStoreOptions) {
    this.#options = options;
    const { chunks, blocks, port, verifyReads = false } = options;
    // Copies: a use is remembered for a while, and an id may be a view of a whole recipe.
    const onUse = (kind: "chunk" | "recipe", ids: readonly Bytes[]) =>
      port.touch(kind, ids.map((id) => id.slice()));
    this.#world = { chunks, blocks, verifyReads, onUse };
  }

  get namespace(): string {
    return this.#options.namespace;
  }

  async get(digest: Digest, options: BlobGetOptions = {}): Promise<ObjectBody | undefined> {
    throwIfAborted(options.signal);
    if (digest === EMPTY_DIGEST) {
      resolveRange(options.range, 0);
      return bytesBody(new Uint8Array(0));
    }
    const [size] = this.#options.visibility.find(this.namespace, [digest]);
    if (size === undefined) return undefined;
    return await readBlob(this.#world, { digest, size }, options);
  }

  /**
   * A blob that this namespace sees already, whole, is answered at once: its source is cancelled,
   * so other bytes of the same length under its digest are never noticed, and never kept. An abort
   * that comes when all is read and the writer commits changes nothing any more.
   */
  async put(
    digest: Digest | undefined,
    source: ByteSource,
    options: SignalOptions = {},
  ): Promise<BlobRef> {
    const ask = digest !== undefined && digest !== EMPTY_DIGEST && !options.signal?.aborted;
    const here = ask ? (await this.stat([digest]))[0] : undefined;
    if (here && (source.size ?? here.size) === here.size) {
      await discard(source, options);
      return here;
    }
    const { port, maxBlobSize } = this.#options;
    const { blob, batch } = await receive(source, {
      port,
      upload: crypto.randomUUID(),
      expected: digest,
      limit: maxBlobSize,
      signal: options.signal,
    });
    if (blob.size > 0) await port.commit({ ...batch, link: [{ namespace: this.namespace, blob }] });
    return blob;
  }

  async stat(
    digests: readonly Digest[],
    options: SignalOptions = {},
  ): Promise<(BlobRef | undefined)[]> {
    throwIfAborted(options.signal);
    const sizes = this.#options.visibility.find(this.namespace, digests);
    const found: BlobRef[] = [];
    const answers = digests.map((digest, n) => {
      if (digest === EMPTY_DIGEST) return { digest, size: 0 };
      const size = sizes[n];
      if (size === undefined) return undefined;
      const blob = { digest, size };
      found.push(blob);
      return blob;
    });
    const whole = new Map<BlobRef, boolean>();
    const states = await this.#options.presence.whole(found);
    throwIfAborted(options.signal);
    found.forEach((blob, n) => whole.set(blob, states[n]!));
    return answers.map((blob) => blob && (whole.get(blob) ?? true) ? blob : undefined);
  }

  async missing(digests: readonly Digest[], options?: SignalOptions): Promise<Set<Digest>> {
    const bits = await this.missingBits(packDigests(digests), options);
    return new Set(digests.filter((_, n) => hasBit(bits, n)));
  }

  async missingBits(ids: Bytes, options: SignalOptions = {}): Promise<Bytes> {
    throwIfAborted(options.signal);
    const { known, visibility } = this.#options;
    const count = ids.length / DIGEST_BYTES;
    const bits = new Uint8Array(Math.ceil(count / 8));
    const number = known && visibility.numberOf(this.namespace);
    const unknown: number[] = [];
    for (let n = 0; n < count; n++) {
      const answer = number === undefined ? "unknown" : known!.ask(number, ids, n * DIGEST_BYTES);
      if (answer === "missing" && !isEmptyDigest(ids, n)) setBit(bits, n);
      else if (answer === "unknown") unknown.push(n);
    }
    if (unknown.length === 0) return bits;
    const found = await this.stat(unknown.map((n) => digestAt(ids, n)), options);
    unknown.forEach((n, at) => {
      if (found[at] === undefined) setBit(bits, n);
    });
    return bits;
  }

  async putBatch(blobs: readonly SmallBlob[], options: SignalOptions = {}): Promise<void> {
    const { port } = this.#options;
    await putBatch(blobs, { ...options, port, namespace: this.namespace });
  }

  async getBatch(refs: readonly BlobRef[], options: SignalOptions = {}): Promise<SmallBlob[]> {
    throwIfAborted(options.signal);
    checkBatch(refs.map((ref) => ref.size));
    const sizes = this.#options.visibility.find(this.namespace, refs.map((ref) => ref.digest));
    const visible = refs.filter(({ digest, size }, n) =>
      digest === EMPTY_DIGEST ? size === 0 : sizes[n] === size
    );
    return await getBatch(visible, { ...options, world: this.#world });
  }

  async delete(digests: readonly Digest[], options: SignalOptions = {}): Promise<void> {
    const { port, visibility } = this.#options;
    for (let from = 0; from < digests.length; from += DELETE_STEP) {
      throwIfAborted(options.signal);
      const step = digests.slice(from, from + DELETE_STEP);
      const sizes = visibility.find(this.namespace, step);
      const unlink = step.filter((_, n) => sizes[n] !== undefined)
        .map((digest) => ({ namespace: this.namespace, digest }));
      if (unlink.length > 0) await port.commit({ unlink });
    }
  }

  async *list(
    options: SignalOptions & { after?: Digest | undefined } = {},
  ): AsyncIterable<BlobRef> {
    let { after } = options;
    while (true) {
      throwIfAborted(options.signal);
      const page = this.#options.visibility.list(this.namespace, after, PAGE);
      if (page.length === 0) return;
      const whole = await this.#options.presence.whole(page);
      for (const [n, blob] of page.entries()) {
        throwIfAborted(options.signal);
        if (whole[n]) yield blob;
      }
      after = page.at(-1)!.digest;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** Gives up a source that is not needed: its sender may go on to its end, unread. */
async function discard(source: ByteSource, options: SignalOptions): Promise<void> {
  // What can be opened again needs no giving up.
  if (source.bytes !== undefined || source.replayable) return;
  // The blob is here: that its source fails now changes nothing.
  await source.open(options).cancel().catch(() => {});
}
