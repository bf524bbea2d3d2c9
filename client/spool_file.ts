/** A file without a name: what can be read only once is kept here until the server has it. */
import { randomUUID } from "node:crypto";
import { open, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteStream } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError, isKind, toCacheError } from "../core/errors.ts";
import { READ_SLICE_BYTES } from "../core/limits.ts";

/**
 * Bytes on disk that nobody else can open. The name is taken away as soon as the file is open, so
 * that not even a killed process leaves it behind; disposing it gives the room back.
 */
export class SpoolFile implements AsyncDisposable {
  readonly #file: FileHandle;
  #size = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /**
   * Makes an empty one, readable by this user only (0600).
   * @param folder default: the system's for temporary files
   * @throws {CacheError} `invalid_argument` when no file can be made there
   */
  static async create(folder: string = tmpdir()): Promise<SpoolFile> {
    const path = join(folder, `vrc-upload-${randomUUID()}`);
    let file: FileHandle | undefined;
    try {
      file = await open(path, "wx+", 0o600);
      await unlink(path);
      return new SpoolFile(file);
    } catch (cause) {
      await file?.close();
      throw new CacheError(
        "invalid_argument",
        `Cannot keep the stream in "${folder}": no file can be made there`,
        { operation: "client.spool", hint: "name another folder in TMPDIR", cause },
      );
    }
  }

  /** Bytes that were appended. */
  get size(): number {
    return this.#size;
  }

  /** Adds bytes at the end. @throws {CacheError} `quota_exceeded` on a full disk */
  async append(part: Bytes): Promise<void> {
    let from = 0;
    try {
      while (from < part.length) {
        const { bytesWritten } = await this.#file.write(
          part,
          from,
          part.length - from,
          this.#size,
        );
        from += bytesWritten;
        this.#size += bytesWritten;
      }
    } catch (thrown) {
      throw ownTrouble(thrown);
    }
  }

  /** All bytes from the first; as often as needed, while the file is not disposed. */
  stream(): ByteStream {
    let offset = 0;
    let reading: Promise<unknown> = Promise.resolve();
    const read = async (controller: ReadableStreamDefaultController<Bytes>) => {
      const buffer = new Uint8Array(Math.min(READ_SLICE_BYTES, this.#size - offset));
      if (buffer.length === 0) return controller.close();
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, offset);
      if (bytesRead === 0) throw new CacheError("corrupt", "Cannot read the kept stream: cut off");
      offset += bytesRead;
      controller.enqueue(buffer.subarray(0, bytesRead));
    };
    return new ReadableStream<Bytes>({
      async pull(controller) {
        reading = read(controller);
        try {
          await reading;
        } catch (thrown) {
          throw toCacheError(thrown, "client.spool");
        }
      },
      // Whoever cancels may close the file next: not while it is being read.
      cancel: async () => void await Promise.allSettled([reading]),
    }, { highWaterMark: 0 });
  }

  /** Closes the file. Streams of it must be read or cancelled before. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** The disk that is full is ours and not the server's. */
function ownTrouble(thrown: unknown): CacheError {
  const error = toCacheError(thrown, "client.spool");
  if (!isKind(error, "quota_exceeded")) return error;
  return new CacheError("quota_exceeded", "Cannot keep the stream: this machine's disk is full", {
    operation: "client.spool",
    hint: "name a folder with more room in TMPDIR, or store it from a file",
    cause: thrown,
  });
}
