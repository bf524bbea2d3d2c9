/**
 * Takes in a blob: one pass over its bytes, which hashes, limits and cuts them. Up to the size of
 * the largest chunk nothing leaves this function until the whole blob is verified; a larger one
 * goes to the writer chunk by chunk, as an upload that only the returned batch makes real.
 */
import { createHash } from "node:crypto";
import { Chunker } from "../../codec/chunk_stream.ts";
import { DEFAULT_CHUNKER } from "../../codec/chunker.ts";
import { chunkIdOf } from "../../codec/entry_id.ts";
import { throwIfAborted } from "../../core/abort.ts";
import { RecipeBuilder } from "../../codec/recipe_builder.ts";
import type { ByteSource, SignalOptions } from "../../core/bytes.ts";
import type { CommitBatch, WriterPort } from "../../core/chunk_store.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import { digestBytes, digestFromBytes, digestOf, sha256 } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { MAX_CHUNK_BYTES } from "../../core/limits.ts";
import { drain } from "../drain.ts";
import { UploadRuns } from "./upload_runs.ts";

/** Options of {@linkcode receive}. */
export interface ReceiveOptions extends SignalOptions {
  readonly port: WriterPort;
  /** A name that no other upload has. */
  readonly upload: string;
  /** The digest that the bytes must have. Default: any. */
  readonly expected?: Digest | undefined;
  /** Bytes of the largest blob. */
  readonly limit: number;
}

/** A blob that was read and verified. */
export interface Received {
  readonly blob: BlobRef;
  /**
   * What makes it durable, to be committed together with a link or an entry. Whoever does not
   * commit it aborts its upload, if it has one.
   */
  readonly batch: CommitBatch;
}

/**
 * Reads the source to its end. When it fails nothing is kept and the upload is over.
 * @throws {CacheError} `invalid_argument` for other bytes or another length than promised,
 * `too_large`, `cancelled` for a client that left, what the writer threw; the signal's reason
 */
export async function receive(source: ByteSource, options: ReceiveOptions): Promise<Received> {
  const { bytes } = source;
  if (bytes && bytes.length <= MAX_CHUNK_BYTES) {
    await drain(source, () => {}, drainOptions(options));
    throwIfAborted(options.signal);
    // The writer keeps its records, maybe on another thread: bytes of which their maker keeps
    // something are copied.
    const whole = source.handsOver && bytes.length === bytes.buffer.byteLength;
    return smallBlob(whole ? bytes : bytes.slice(), options);
  }
  const intake = new Intake(options, source.size);
  const opened = openedOnce(source);
  try {
    await drain(opened, async (part) => {
      await intake.add(part);
      if (source.handsOver) part.buffer.transfer(0);
    }, drainOptions(options));
    const received = await intake.finish();
    throwIfAborted(options.signal);
    return received;
  } catch (thrown) {
    // The first error is the one to report. Of an upload that can not be ended now, the writer
    // forgets all when it stops.
    await intake.abort().catch(() => {});
    await opened.giveUp();
    throwIfAborted(options.signal);
    throw toCacheError(thrown, "cas.receive");
  }
}

/** A source that can be given up even though nobody opened it: its sender waits for a reader. */
function openedOnce(source: ByteSource): ByteSource & { giveUp(): Promise<void> } {
  const { size, replayable, bytes } = source;
  let opened = false;
  const open = (options?: SignalOptions) => {
    opened = true;
    return source.open(options);
  };
  return {
    size,
    replayable,
    ...(bytes ? { bytes } : {}),
    open,
    async giveUp() {
      if (opened || replayable || bytes) return;
      // Behind another error: that one is reported.
      await source.open().cancel().catch(() => {});
    },
  };
}

function drainOptions({ limit, signal, expected }: ReceiveOptions) {
  return { key: expected ?? "blob", maxSize: limit, signal };
}

/** A blob of one chunk: no upload, everything is in the batch. */
function smallBlob(bytes: Bytes, options: ReceiveOptions): Received {
  const digest = digestOf(bytes);
  verify(digest, options.expected);
  const blob = { digest, size: bytes.length };
  if (bytes.length === 0) return { blob, batch: {} };
  const id = chunkIdOf(digestBytes(digest));
  return { blob, batch: { records: [{ kind: "chunk", id, body: bytes }] } };
}

/** Bytes that are held back at first where nobody said how many will come. */
const FIRST_HEAD_BYTES = 16 * 1024;
/** Bytes that are cut at a time: a part may be as large as its sender likes. */
const CUT_STEP_BYTES = 1024 * 1024;

/** Holds back the first bytes until it is certain that there is more than one chunk of them. */
class Intake {
  readonly #options: ReceiveOptions;
  readonly #hash = createHash("sha256");
  #size = 0;
  #head: Bytes;
  #large: LargeBlob | undefined;

  /** `size`: bytes that will come, as somebody says. */
  constructor(options: ReceiveOptions, size = FIRST_HEAD_BYTES) {
    this.#options = options;
    this.#head = new Uint8Array(size >= 0 && size <= MAX_CHUNK_BYTES ? size : 0);
  }

  async add(part: Bytes): Promise<void> {
    const before = this.#size;
    this.#size += part.length;
    if (!this.#large && this.#size <= MAX_CHUNK_BYTES) return this.#hold(part, before);
    if (!this.#large) {
      this.#large = new LargeBlob(this.#options);
      const head = this.#head.subarray(0, before);
      this.#head = new Uint8Array(0);
      await this.#pass(head);
    }
    await this.#pass(part);
  }

  async #pass(part: Bytes): Promise<void> {
    for (let from = 0; from < part.length; from += CUT_STEP_BYTES) {
      const step = part.subarray(from, from + CUT_STEP_BYTES);
      this.#hash.update(step);
      await this.#large?.add(step);
    }
  }

  /** Copies: parts may be tiny, or small views of large buffers that would all be kept. */
  #hold(part: Bytes, at: number): void {
    if (at + part.length > this.#head.length) {
      const larger = Math.max(at + part.length, this.#head.length * 2, FIRST_HEAD_BYTES);
      const head = new Uint8Array(Math.min(larger, MAX_CHUNK_BYTES));
      head.set(this.#head.subarray(0, at));
      this.#head = head;
    }
    this.#head.set(part, at);
  }

  async finish(): Promise<Received> {
    if (!this.#large) {
      const exact = this.#head.length === this.#size;
      return smallBlob(exact ? this.#head : this.#head.slice(0, this.#size), this.#options);
    }
    const digest = digestFromBytes(new Uint8Array(this.#hash.digest()));
    verify(digest, this.#options.expected);
    const batch = await this.#large.finish(digest);
    return { blob: { digest, size: this.#size }, batch };
  }

  async abort(): Promise<void> {
    await this.#large?.abort();
  }
}

/** A blob of many chunks, on its way to the writer. */
class LargeBlob {
  readonly #chunker = new Chunker(DEFAULT_CHUNKER);
  readonly #recipe = new RecipeBuilder(DEFAULT_CHUNKER);
  readonly #runs: UploadRuns;

  constructor(options: ReceiveOptions) {
    this.#runs = new UploadRuns(options.port, options.upload);
  }
  async add(part: Bytes): Promise<void> {
    for (const chunk of this.#chunker.push(part)) await this.#addChunk(chunk);
  }
  async finish(digest: Digest): Promise<CommitBatch> {
    for (const chunk of this.#chunker.flush()) await this.#addChunk(chunk);
    this.#chunker.giveUp();
    const { root, parts } = this.#recipe.finish(digest);
    for (const { id, body } of parts) await this.#runs.add({ kind: "recipe", id, body });
    const id = chunkIdOf(digestBytes(digest));
    await this.#runs.add({ kind: "recipe", id, body: root });
    return await this.#runs.finish();
  }
  async abort(): Promise<void> {
    this.#chunker.giveUp();
    await this.#runs.abort();
  }
  async #addChunk(body: Bytes): Promise<void> {
    const id = chunkIdOf(sha256(body));
    const parts = this.#recipe.add(id, body.length);
    await this.#runs.add({ kind: "chunk", id, body });
    for (const part of parts) await this.#runs.add({ kind: "recipe", ...part });
  }
}

function verify(digest: Digest, expected: Digest | undefined): void {
  if (expected === undefined || expected === digest) return;
  throw new CacheError(
    "invalid_argument",
    `Cannot store the blob: its bytes have digest "${digest}", want "${expected}"`,
    { operation: "cas.receive" },
  );
}
