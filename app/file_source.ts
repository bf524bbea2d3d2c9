/** A file as a source of bytes. */
import type { ByteSource } from "../core/bytes.ts";
import { CacheError } from "../core/errors.ts";
import type { ByteStream } from "../core/bytes.ts";

/**
 * The file's bytes; can be read again as long as the file does not change.
 * @throws {CacheError} `invalid_argument` when it is no readable file
 */
export async function fileSource(path: string): Promise<ByteSource> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch (cause) {
    throw new CacheError("invalid_argument", `Cannot read "${path}": no such file`, { cause });
  }
  if (!info.isFile) {
    throw new CacheError("invalid_argument", `Cannot read "${path}": it is not a plain file`);
  }
  return { size: info.size, replayable: true, open: () => openFile(path) };
}

function openFile(path: string): ByteStream {
  let file: Deno.FsFile | undefined;
  return new ReadableStream({
    async pull(controller) {
      file ??= await Deno.open(path, { read: true });
      const buffer = new Uint8Array(256 * 1024);
      const count = await file.read(buffer);
      if (count === null) {
        file.close();
        return controller.close();
      }
      controller.enqueue(buffer.subarray(0, count));
    },
    cancel() {
      file?.close();
    },
  }, { highWaterMark: 0 });
}
