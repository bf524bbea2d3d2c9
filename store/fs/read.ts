/** Reading one object: small ones at once, larger ones from a descriptor of their own. */
import { throwIfAborted } from "../../core/abort.ts";
import { bytesBody } from "../../core/bytes.ts";
import type { ObjectBody } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { INLINE_OBJECT_BYTES, READ_SLICE_BYTES } from "../../core/limits.ts";
import type { GetOptions } from "../../core/object_store.ts";
import { resolveRange } from "../object_range.ts";
import { pullBody } from "../pull_body.ts";
import type { BodyReader } from "../pull_body.ts";
import { fsCall } from "./errors.ts";
import { unlessGone } from "./temp_file.ts";

/**
 * The body of the object at `path`, or `undefined` if there is none. It keeps its descriptor until
 * it was read, cancelled or aborted, so an object that is replaced or removed stays readable for
 * those who have begun.
 */
export async function readObject(
  path: string,
  key: string,
  options: GetOptions,
): Promise<ObjectBody | undefined> {
  const attempt = { verb: "read", what: `object "${key}"` };
  const info = await fsCall(attempt, unlessGone(Deno.lstat(path)));
  // Not an object: opening a pipe would wait for ever, a link may lead out of the folder.
  if (!info?.isFile) return undefined;
  const file = await fsCall(attempt, unlessGone(Deno.open(path, { read: true })));
  if (!file) return undefined;
  let keep = false;
  try {
    const { size: total } = await fsCall(attempt, file.stat());
    throwIfAborted(options.signal);
    const { start, end } = resolveRange(options.range, total);
    if (start > 0) await fsCall(attempt, file.seek(start, Deno.SeekMode.Start));
    const reader = fileReader(file, { key, size: end - start });
    if (end - start <= INLINE_OBJECT_BYTES) {
      const bytes = await readAll(reader, end - start);
      throwIfAborted(options.signal);
      return bytesBody(bytes, total);
    }
    keep = true;
    return pullBody(reader, { size: end - start, total, signal: options.signal });
  } finally {
    if (!keep) file.close();
  }
}

/** Reads `size` bytes from where the file stands, in slices; a file that ends before is corrupt. */
function fileReader(file: Deno.FsFile, { key, size }: { key: string; size: number }): BodyReader {
  const attempt = { verb: "read", what: `object "${key}"` };
  let left = size;
  return {
    async read() {
      if (left === 0) return undefined;
      const slice = new Uint8Array(Math.min(left, READ_SLICE_BYTES));
      const count = await fsCall(attempt, file.read(slice));
      if (count === null || count === 0) {
        throw new CacheError(
          "corrupt",
          `Cannot read object "${key}": the file ended ${left} bytes early`,
          { operation: "fs.read", context: { key } },
        );
      }
      left -= count;
      return slice.subarray(0, count);
    },
    close: () => file.close(),
  };
}

async function readAll(reader: BodyReader, size: number): Promise<Bytes> {
  const all = new Uint8Array(size);
  let offset = 0;
  for (let part = await reader.read(); part; part = await reader.read()) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
