/** A file as a source of bytes. */
import type { ByteSource, ByteStream } from "../core/bytes.ts";
import { CacheError } from "../core/errors.ts";

/** Bytes of one part of the stream. */
const PART_BYTES = 256 * 1024;

/**
 * The file's bytes; can be read again as long as the file does not change.
 * @throws {CacheError} `invalid_argument` when it is no readable file; so does the stream
 */
export async function fileSource(path: string): Promise<ByteSource> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (!info.isFile) {
    throw new CacheError("invalid_argument", `Cannot read "${path}": it is not a plain file`);
  }
  return { size: info.size, replayable: true, open: () => openFile(path) };
}

function openFile(path: string): ByteStream {
  let file: Deno.FsFile | undefined;
  let given = false;
  const close = () => {
    file?.close();
    file = undefined;
  };
  return new ReadableStream({
    async pull(controller) {
      try {
        file ??= await Deno.open(path, { read: true });
        // Given up while it was opened: there was nothing to close yet.
        if (given) return close();
        const buffer = new Uint8Array(PART_BYTES);
        const count = await file.read(buffer);
        if (given) return;
        if (count !== null) return controller.enqueue(buffer.subarray(0, count));
        close();
        controller.close();
      } catch (cause) {
        if (given) return;
        close();
        throw unreadable(path, cause);
      }
    },
    cancel() {
      given = true;
      close();
    },
  }, { highWaterMark: 0 });
}

function unreadable(path: string, cause: unknown): CacheError {
  const { NotFound, NotADirectory, PermissionDenied } = Deno.errors;
  const why = cause instanceof NotFound || cause instanceof NotADirectory
    ? "no such file"
    : cause instanceof PermissionDenied
    ? "permission denied"
    : "the file system refused";
  return new CacheError("invalid_argument", `Cannot read "${path}": ${why}`, { cause });
}
