/**
 * Takes in a blob: one pass over its bytes, which hashes, limits and cuts them. Up to the size of
 * the largest chunk nothing leaves this function until the whole blob is verified; a larger one
 * goes to the writer chunk by chunk, as an upload that only the returned batch makes real.
 */
import { createHash } from "node:crypto";
import { Chunker } from "../../codec/chunk_stream.ts";
import { DEFAULT_CHUNKER } from "../../codec/chunker.ts";
import { chunkIdOf } from "../../codec/entry_id.ts";
import { RecipeBuilder } from "../../codec/recipe_builder.ts";
import type { ByteSource, SignalOptions } from "../../core/bytes.ts";
import { concat } from "../../core/bytes.ts";
import type { CommitBatch, WriterPort } from "../../core/chunk_store.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import { digestBytes, digestFromBytes, sha256 } from "../../core/digest.ts";
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
    return smallBlob(bytes, options);
  }
  const intake = new Intake(options);
  try {
    await drain(source, (part) => intake.add(part), drainOptions(options));
    return await intake.finish();
  } catch (thrown) {
    await intake.abort();
    if (options.signal?.aborted) throw thrown;
    throw toCacheError(thrown, "cas.receive");
  }
}

function drainOptions({ limit, signal, expected }: ReceiveOptions) {
  return { key: expected ?? "blob", maxSize: limit, signal };
}

/** A blob of one chunk: no upload, everything is in the batch. */
function smallBlob(bytes: Bytes, options: ReceiveOptions): Received {
  const digest = digestFromBytes(sha256(bytes));
  verify(digest, options.expected);
  const blob = { digest, size: bytes.length };
  if (bytes.length === 0) return { blob, batch: {} };
  const id = chunkIdOf(digestBytes(digest));
  return { blob, batch: { records: [{ kind: "chunk", id, body: bytes }] } };
}

/** Holds back the first bytes until it is certain that there is more than one chunk of them. */
class Intake {
  readonly #options: ReceiveOptions;
  readonly #hash = createHash("sha256");
  #size = 0;
  #head: Bytes[] = [];
  #large: LargeBlob | undefined;

  constructor(options: ReceiveOptions) {
    this.#options = options;
  }

  async add(part: Bytes): Promise<void> {
    this.#size += part.length;
    if (!this.#large && this.#size <= MAX_CHUNK_BYTES) {
      this.#head.push(part);
      return;
    }
    if (!this.#large) {
      this.#large = new LargeBlob(this.#options);
      const head = this.#head;
      this.#head = [];
      for (const held of head) {
        this.#hash.update(held);
        await this.#large.add(held);
      }
    }
    this.#hash.update(part);
    await this.#large.add(part);
  }

  async finish(): Promise<Received> {
    if (!this.#large) return smallBlob(concat(this.#head, this.#size), this.#options);
    const digest = digestFromBytes(new Uint8Array(this.#hash.digest()));
    verify(digest, this.#options.expected);
    const batch = await this.#large.finish(digest);
    return { blob: { digest, size: this.#size }, batch };
  }

  async abort(): Promise<void> {
    this.#head = [];
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
    const { root, parts } = this.#recipe.finish(digest);
    for (const { id, body } of parts) await this.#runs.add({ kind: "recipe", id, body });
    const id = chunkIdOf(digestBytes(digest));
    await this.#runs.add({ kind: "recipe", id, body: root });
    return await this.#runs.finish();
  }
  async abort(): Promise<void> {
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
