/** Reads a source to its end on behalf of a `put`; the same checks for every medium. */
import { abortable, throwIfAborted } from "../core/abort.ts";
import type { ByteSource, ByteStream, SignalOptions } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";

/** Options of {@linkcode drain}. */
export interface DrainOptions extends SignalOptions {
  /** For messages. */
  readonly key: string;
  /** Bytes; more is refused while reading. Default: no limit. */
  readonly maxSize?: number | undefined;
}

/**
 * Hands every chunk of a source to `sink`, one after the other, and tells how many bytes there
 * were. The stream is read to its end, or cancelled when anything fails. No chunk is empty, and
 * never more bytes than the source promised reach the sink.
 *
 * @throws {CacheError} `invalid_argument` when the source holds more or fewer bytes than it said,
 * `too_large`; also what the source or the sink threw, and the signal's reason
 */
export async function drain(
  source: ByteSource,
  sink: (chunk: Bytes) => Promise<void> | void,
  options: DrainOptions,
): Promise<number> {
  throwIfAborted(options.signal);
  const { size, bytes } = source;
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) {
    throw wrongSize(options.key, `it says it has ${size} bytes`, size);
  }
  checkLimit(size ?? 0, options);
  if (bytes !== undefined) {
    checkLimit(bytes.length, options);
    if (size !== undefined && bytes.length !== size) {
      throw wrongSize(options.key, `it holds ${bytes.length} bytes`, size);
    }
    if (bytes.length > 0) await sink(bytes);
    return bytes.length;
  }
  return await pump(source.open({ signal: options.signal }), size, { ...options, sink });
}

async function pump(
  stream: ByteStream,
  size: number | undefined,
  options: DrainOptions & { sink: (chunk: Bytes) => Promise<void> | void },
): Promise<number> {
  const reader = stream.getReader();
  let total = 0;
  try {
    while (true) {
      const { done, value } = await abortable(reader.read(), options.signal);
      if (done) break;
      if (value.length === 0) continue;
      total += value.length;
      if (size !== undefined && total > size) {
        throw wrongSize(options.key, `it holds more than ${size} bytes`, size);
      }
      checkLimit(total, options);
      await options.sink(value);
    }
    if (size !== undefined && total !== size) {
      throw wrongSize(options.key, `it ended after ${total} bytes`, size);
    }
    return total;
  } catch (error) {
    // The first error is the one to report: a source that fails to cancel changes nothing for us.
    await reader.cancel(error).catch(() => {});
    throw error;
  } finally {
    reader.releaseLock();
  }
}

function checkLimit(size: number, { key, maxSize }: DrainOptions): void {
  if (maxSize === undefined || size <= maxSize) return;
  throw new CacheError(
    "too_large",
    `Cannot store object "${key}": it has ${size} bytes or more, want at most ${maxSize}`,
    { operation: "object_store.put", context: { key, maxSize } },
  );
}

function wrongSize(key: string, state: string, size: number): CacheError {
  return new CacheError(
    "invalid_argument",
    `Cannot store object "${key}" from its source: ${state}, want ${size}`,
    { operation: "object_store.put", context: { key } },
  );
}
