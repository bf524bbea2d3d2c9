/** One output on its way into a folder: hashed while it is written, moved to another disk if need be. */
import { createHash } from "node:crypto";
import type { Bytes, Digest } from "../../core/digest.ts";
import { digestFromBytes } from "../../core/digest.ts";
import { toCacheError } from "../../core/errors.ts";

/** Bytes that are copied at a time when the disk turns out to be full. */
const COPY_BYTES = 256 * 1024;

/** Where an output may go: the cache's folder, and what is left when that is full. */
export interface OutputPlaces {
  /** Folder for files that are not whole yet, `undefined` if the cache's folder can not be used. */
  readonly home: string | undefined;
  /** Folder elsewhere, made now. @throws when there is none either */
  spare(): string;
}

/**
 * A file that is being written. All calls are synchronous: they end in the memory of the operating
 * system, and a call for each of a thousand small files would cost more than it.
 */
export class OutputFile implements Disposable {
  readonly #places: OutputPlaces;
  readonly #hash = createHash("sha256");
  readonly #name = crypto.randomUUID();
  #file: Deno.FsFile | undefined;
  #folder: string;
  #inSpare: boolean;
  #stays = false;
  /** Bytes written so far. */
  size = 0;

  /** @throws {CacheError} when neither place can be written */
  constructor(places: OutputPlaces) {
    this.#places = places;
    this.#inSpare = places.home === undefined;
    this.#folder = places.home ?? places.spare();
    try {
      this.#file = create(this.path);
    } catch (thrown) {
      this.#moveAfter(thrown);
    }
  }

  /** Where it is now. */
  get path(): string {
    return `${this.#folder}/${this.#name}`;
  }
  /** Whether it is not in the cache's folder. */
  get inSpare(): boolean {
    return this.#inSpare;
  }

  /** @throws {CacheError} `quota_exceeded` and others when no place takes it */
  write(part: Bytes): void {
    this.#hash.update(part);
    try {
      writeAll(this.#file!, part);
    } catch (thrown) {
      this.#moveAfter(thrown);
      writeAll(this.#file!, part);
    }
    this.size += part.length;
  }

  /** Ends it; tells what the bytes were. */
  finish(): Digest {
    this.#file?.close();
    this.#file = undefined;
    return digestFromBytes(this.#hash.digest());
  }

  /** Lets it stay where it is; tells where. */
  leave(): string {
    this.#stays = true;
    return this.path;
  }

  /** Removes what was not renamed. */
  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
    if (!this.#stays) removeIfThere(this.path);
  }

  /** Goes on in the spare folder, with what was written so far. */
  #moveAfter(thrown: unknown): void {
    if (this.#inSpare) throw toCacheError(thrown, "gocache.write");
    const before = this.path;
    const written = this.#file;
    this.#folder = this.#places.spare();
    this.#inSpare = true;
    try {
      this.#file = create(this.path);
      if (written) copy(before, this.#file, this.size);
    } catch (again) {
      throw toCacheError(again, "gocache.write");
    } finally {
      written?.close();
      removeIfThere(before);
    }
  }
}

function create(path: string): Deno.FsFile {
  return Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

function copy(from: string, to: Deno.FsFile, size: number): void {
  using file = Deno.openSync(from, { read: true });
  const buffer = new Uint8Array(COPY_BYTES);
  for (let left = size; left > 0;) {
    const count = file.readSync(buffer.subarray(0, Math.min(left, COPY_BYTES)));
    if (count === null) throw new Error("the file is shorter than what was written");
    writeAll(to, buffer.subarray(0, count));
    left -= count;
  }
}

/** Removes a file that may be gone already, or was never made. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}
