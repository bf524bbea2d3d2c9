/** Sends the files of a tree that the cache does not have, many small ones in one request. */
import type { TreeFile } from "../../codec/tree_manifest.ts";
import { batchesOf, isSmall } from "../../core/blob_batches.ts";
import type { BatchBlobStore, SmallBlob } from "../../core/blob_batches.ts";
import { bytesSource } from "../../core/bytes.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { isKind } from "../../core/errors.ts";
import { turn, TURN_AFTER } from "../../core/turn.ts";
import { fileSource } from "../file_source.ts";
import { eachInParallel } from "../in_parallel.ts";
import { changing, readFile } from "./read_file.ts";
import type { ReadFile } from "./read_file.ts";
import type { ScannedFile } from "./scan_tree.ts";

/** Batches, or large files, that are read and sent at a time. */
const LANES = 4;

/** Options of {@linkcode TreeUpload}. */
export interface TreeUploadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onDone?: ((bytes: number) => void) | undefined;
}

/** The way of one tree into the cache. */
export class TreeUpload {
  readonly #blobs: BatchBlobStore;
  readonly #options: TreeUploadOptions;
  /** Blobs that are there for certain, or on their way. */
  readonly #sent = new Set<Digest>();
  #filesRead = 0;
  #bytesSent = 0;

  constructor(blobs: BatchBlobStore, options: TreeUploadOptions) {
    this.#blobs = blobs;
    this.#options = options;
  }

  /** What was done so far. */
  figures(): { readonly filesRead: number; readonly bytesSent: number } {
    return { filesRead: this.#filesRead, bytesSent: this.#bytesSent };
  }

  /**
   * The files as the manifest lists them. Those whose digest is not known are read, and sent where
   * they are missing; the others are only believed to be there.
   */
  async files(scanned: readonly ScannedFile[]): Promise<TreeFile[]> {
    const listed: TreeFile[] = [];
    const unknown: ScannedFile[] = [];
    for (const file of scanned) {
      if (file.digest === undefined) unknown.push(file);
      else {
        listed.push(listedFile(file, { stat: file.stat, digest: file.digest }));
        this.#options.onDone?.(file.stat.size);
      }
    }
    await this.#send(unknown, (read) => {
      listed.push(listedFile(read.file, read));
      this.#options.onDone?.(read.stat.size);
    });
    return listed;
  }

  /**
   * Sends whatever of these is missing.
   * @throws {CacheError} `conflict` for a file that is no longer what it was when it was listed
   */
  async missing(scanned: readonly ScannedFile[]): Promise<void> {
    const known = scanned.filter((file) => file.digest !== undefined && file.stat.size > 0);
    this.#sent.clear();
    const { signal } = this.#options;
    const missing = await this.#blobs.missing([...new Set(known.map((f) => f.digest!))], {
      signal,
    });
    await this.#send(known.filter((file) => missing.has(file.digest!)), (read) => {
      if (read.digest !== read.file.digest) throw changing(read.file.path);
    });
  }

  /** Sends the list of files, unless it is there. */
  async manifest({ digest }: BlobRef, bytes: Bytes): Promise<void> {
    const { signal } = this.#options;
    if ((await this.#blobs.missing([digest], { signal })).size === 0) return;
    await this.#blobs.put(digest, bytesSource(bytes), { signal });
    this.#bytesSent += bytes.length;
  }

  async #send(files: readonly ScannedFile[], hear: (read: ReadFile) => void): Promise<void> {
    const { signal } = this.#options;
    const small = files.filter((file) => isSmall(file.stat.size));
    const large = files.filter((file) => !isSmall(file.stat.size)).map((file) => [file]);
    const work = [...batchesOf(small, (file) => file.stat.size), ...large];
    await eachInParallel(work, LANES, async (batch) => {
      signal?.throwIfAborted();
      const reads: ReadFile[] = [];
      for (const [n, file] of batch.entries()) {
        if (n % TURN_AFTER === 0) await turn(signal);
        reads.push(await readFile(file, { signal }));
      }
      this.#filesRead += reads.length;
      await this.#sendMissing(reads);
      reads.forEach(hear);
    });
  }

  async #sendMissing(reads: readonly ReadFile[]): Promise<void> {
    const { signal } = this.#options;
    // Claimed before anything is awaited: no two lanes send the same.
    const fresh = reads.filter(({ digest, stat }) => {
      if (stat.size === 0 || this.#sent.has(digest)) return false;
      this.#sent.add(digest);
      return true;
    });
    if (fresh.length === 0) return;
    const missing = await this.#blobs.missing(fresh.map((read) => read.digest), { signal });
    const wanted = fresh.filter((read) => missing.has(read.digest));
    const small = wanted.filter((read) => read.bytes !== undefined)
      .map(({ digest, bytes }): SmallBlob => ({ digest, bytes: bytes! }));
    // A file may have grown since it was put into this batch.
    for (const batch of batchesOf(small, ({ bytes }) => bytes.length)) {
      await this.#blobs.putBatch(batch, { signal });
      for (const { bytes } of batch) this.#bytesSent += bytes.length;
    }
    for (const read of wanted) if (read.bytes === undefined) await this.#sendLarge(read);
  }

  async #sendLarge(read: ReadFile): Promise<void> {
    const { signal } = this.#options;
    try {
      await this.#blobs.put(read.digest, await fileSource(read.file.path), { signal });
    } catch (thrown) {
      // The cache noticed that the bytes are not those that were hashed. The file's times may not
      // tell: two changes within a tick of its clock have the same.
      throw isKind(thrown, "invalid_argument") ? changing(read.file.path, thrown) : thrown;
    }
    this.#bytesSent += read.stat.size;
  }
}

function listedFile(
  { name }: ScannedFile,
  { stat, digest }: Pick<ReadFile, "stat" | "digest">,
): TreeFile {
  return { type: "file", path: name, mode: (stat.mode ?? 0) & 0o777, size: stat.size, digest };
}
