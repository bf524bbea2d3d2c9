/** Bytes on their way: sources that can be read again, bodies that are read once. */
import type { Bytes } from "./digest.ts";
import { CacheError } from "./errors.ts";

/** Options of a call that can be given up. */
export interface SignalOptions {
  /** Aborting rejects the call with the signal's reason; each call says what becomes of its work. */
  readonly signal?: AbortSignal | undefined;
}

/** A stream of bytes; whoever holds it reads it to the end, cancels it, or hands it on. */
export type ByteStream = ReadableStream<Bytes>;

/** Bytes to store: a factory, so that retry and mirror can read them again. */
export interface ByteSource {
  /** Bytes in all; `undefined` if not known beforehand. */
  readonly size: number | undefined;
  /** Whether `open` may be called more than once. */
  readonly replayable: boolean;
  /** Set for what is at most 1 MiB and already here: the fast way, with no stream at all. */
  readonly bytes?: Bytes;
  /**
   * Set for a finished file of this machine whose bytes will never change: a store on the same
   * file system may link it instead of copying.
   */
  readonly path?: string;
  /**
   * Set where each part of the stream, and `bytes`, has memory of its own that nobody else needs:
   * whoever is done with one may give that back at once (`ArrayBuffer.transfer(0)`), lest it waits for
   * a collector, and whoever stores `bytes` may keep or transfer them instead of a copy.
   */
  readonly handsOver?: boolean;
  /** Opens the bytes; the caller owns the stream. */
  open(options?: SignalOptions): ByteStream;
}

/**
 * Parts of a body that are only lent: each is good until the next `read` or `close`, its memory is
 * then used for something else. Whoever has it reads to the end or closes it.
 */
export interface LentParts {
  /** The next part, `undefined` at the end. Not to be called again before it answered. */
  read(): Promise<Bytes | undefined> | Bytes | undefined;
  /** Gives up what was not read. Safe to call twice. */
  close(): void;
}

/** Bytes that came back. The caller owns `stream` and must read or cancel it. */
export interface ObjectBody {
  /** Bytes of this body (of the range, if one was asked for). */
  readonly size: number;
  /** Bytes of the whole object. */
  readonly total: number;
  /** Set when the body is small and already here; `stream` then need not be opened. */
  readonly bytes?: Bytes;
  /** Opens the stream; at most once, and not at all if `bytes` was used. */
  stream(): ByteStream;
  /**
   * As `stream()` and instead of it, for whoever is done with each part before it asks for the next:
   * no memory waits for a collector. Missing where it would save nothing.
   */
  lend?(): LentParts;
  /** Gives up a body whose stream was not opened. Safe to call twice. */
  cancel(): Promise<void>;
}

/** A range of bytes: `start` inclusive, `end` exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A source of bytes that are already here. The caller must not change them afterwards. */
export function bytesSource(bytes: Bytes): ByteSource {
  return { size: bytes.length, replayable: true, bytes, open: () => streamOf(bytes) };
}

/** A source that can be read once, as a request body is. */
export function streamSource(stream: ByteStream, size?: number): ByteSource {
  let used = false;
  return {
    size,
    replayable: false,
    open() {
      if (used) {
        throw new CacheError("internal", "Cannot read the source again: it is a one-time stream", {
          operation: "bytes.open",
        });
      }
      used = true;
      return stream;
    },
  };
}

/** A body of bytes that are already here. */
export function bytesBody(bytes: Bytes, total = bytes.length): ObjectBody {
  return {
    size: bytes.length,
    total,
    bytes,
    stream: () => streamOf(bytes),
    cancel: () => Promise.resolve(),
  };
}

/** A body whose stream is made when it is asked for. */
export function streamBody(
  open: () => ByteStream,
  sizes: { size: number; total: number },
): ObjectBody {
  let opened = false;
  return {
    ...sizes,
    stream() {
      if (opened) throw new TypeError("Cannot open the body: it was opened before");
      opened = true;
      return open();
    },
    cancel: () => Promise.resolve(),
  };
}

/** A stream of one array, cut into slices of 256 KiB: whole large arrays would be copied. */
export function streamOf(bytes: Bytes, slice = 256 * 1024): ByteStream {
  let offset = 0;
  return new ReadableStream<Bytes>({
    pull(controller) {
      if (offset >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(offset, offset + slice));
      offset += slice;
      if (offset >= bytes.length) controller.close();
    },
    cancel() {
      offset = bytes.length;
    },
  }, { highWaterMark: 0 });
}

/**
 * Reads a stream into one array, never more than `limit` bytes.
 * @throws {CacheError} `too_large` when there is more; the stream is cancelled
 */
export async function collect(stream: ByteStream, limit: number): Promise<Bytes> {
  const parts: Bytes[] = [];
  let size = 0;
  const reader = stream.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return concat(parts, size);
      size += value.length;
      if (size > limit) {
        const error = new CacheError("too_large", `Cannot read the body: more than ${limit} bytes`);
        await reader.cancel(error);
        throw error;
      }
      parts.push(value);
    }
  } finally {
    reader.releaseLock();
  }
}

/** The bytes of a small body; `limit` guards against a large one. */
export function bodyBytes(body: ObjectBody, limit: number): Promise<Bytes> {
  return body.bytes ? Promise.resolve(body.bytes) : collect(body.stream(), limit);
}

/** One array of all parts. */
export function concat(parts: readonly Uint8Array[], size?: number): Bytes {
  if (parts.length === 1 && parts[0]!.buffer instanceof ArrayBuffer) return parts[0] as Bytes;
  const all = new Uint8Array(size ?? parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Whether both hold the same bytes. Not for secrets: see `constantTimeEqual`. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
