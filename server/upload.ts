/** Request bodies as sources: admission, limits, content codings. */
import type { ByteSource, ByteStream } from "../core/bytes.ts";
import { bytesSource, collect, streamSource } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_JSON_BYTES, SMALL_BODY_BYTES, UPLOAD_WINDOW_BYTES } from "../core/limits.ts";
import { decodeZstd } from "../codec/zstd_stream.ts";
import { admitAtOnce, admitBytes } from "./admission.ts";
import { BodyReader, tooLarge } from "./body_reader.ts";
import type { ServerLimits } from "./deps.ts";
import type { Exchange } from "./exchange.ts";

/** {@linkcode withUpload}'s options. */
export interface UploadOptions {
  /** Bytes of the decoded body. Default: the server's `maxBlobSize`. */
  readonly limit?: number;
  /** Bytes of the decoded body where another header promises them. */
  readonly plainSize?: number | undefined;
  /** Bytes of it that are in memory at a time. Default: `UPLOAD_WINDOW_BYTES`. */
  readonly held?: number;
}

/** Bytes: frame headers and skippable frames around what does not compress. */
const MAX_ZSTD_OVERHEAD = 64 * 1024;
const LENGTH = /^\d{1,15}$/;

/**
 * Calls `use` with the request's body, which is read only now: everybody who may refuse the
 * request has had his say. Whatever `use` leaves unread is cancelled.
 * @throws {CacheError} `too_large` by `Content-Length` before a byte is read, `unsupported` (415)
 * for an unknown `Content-Encoding`, `unavailable` when there is no room for it
 */
export async function withUpload<T>(
  exchange: Exchange,
  options: UploadOptions,
  use: (source: ByteSource) => Promise<T>,
): Promise<T> {
  const { deps, request, tally } = exchange;
  const { clock, counters, limits } = deps;
  const limit = options.limit ?? largestBody(limits);
  const length = contentLength(request);
  const zstd = contentCoding(request) === "zstd";
  if (!zstd && length !== undefined && length > limit) throw tooLarge(limit, length);
  if (options.plainSize !== undefined && options.plainSize > limit) {
    throw tooLarge(limit, options.plainSize);
  }
  const { body } = request;
  if (!body) return await use(bytesSource(new Uint8Array(0)));

  const most = options.held ?? UPLOAD_WINDOW_BYTES;
  const held = zstd ? most : Math.min(length ?? most, most);
  using _room = admitAtOnce(held, counters) ?? await admitBytes(held, { counters, clock });
  const wireLimit = zstd ? limit + limit / 64 + MAX_ZSTD_OVERHEAD : limit;
  const handsOver = deps.takesParts ?? false;
  const reader = new BodyReader(body, { clock, tally, limit: wireLimit, length, handsOver });
  counters.add("uploads");
  try {
    if (!zstd && length !== undefined && length <= SMALL_BODY_BYTES) {
      return await use({ ...bytesSource(await reader.whole(length)), handsOver });
    }
    const wire = streamOfReader(reader);
    if (!zstd) {
      const source = streamSource(wire, length ?? options.plainSize);
      return await use({ ...source, handsOver });
    }
    return await use(streamSource(decodeZstd(wire, { limit }), options.plainSize));
  } catch (thrown) {
    counters.add("uploads_aborted");
    throw thrown;
  } finally {
    counters.add("bytes_received", tally.received);
    await reader.cancel("the request is over");
  }
}

/** What could not fit even into an empty store must not empty it on the way to its refusal. */
function largestBody({ maxBlobSize, maxSize }: ServerLimits): number {
  return maxSize > 0 ? Math.min(maxBlobSize, maxSize) : maxBlobSize;
}

/**
 * The text of a JSON body.
 * @throws {CacheError} `unsupported` (415) unless it is `mediaType`, `too_large`,
 * `invalid_argument` for bytes that are no UTF-8
 */
export async function readJsonText(
  exchange: Exchange,
  mediaType = "application/json",
): Promise<string> {
  const type = mediaTypeOf(exchange.request);
  if (type !== mediaType) {
    throw new CacheError("unsupported", `Cannot read a body of "${type}", want ${mediaType}`, {
      operation: "body.json",
      context: { status: 415 },
    });
  }
  const options = { limit: MAX_JSON_BYTES, held: MAX_JSON_BYTES };
  return await withUpload(exchange, options, async (source) => {
    const bytes = source.bytes ?? await collect(source.open(), MAX_JSON_BYTES);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw new CacheError("invalid_argument", "Cannot read the JSON: it is no UTF-8", { cause });
    }
  });
}

/** The media type of the request's body without its parameters, in lower case. */
export function mediaTypeOf(request: Request): string {
  const header = request.headers.get("content-type") ?? "";
  const end = header.indexOf(";");
  return (end < 0 ? header : header.slice(0, end)).trim().toLowerCase();
}

/**
 * Bytes that `Content-Length` promises.
 * @throws {CacheError} `invalid_argument` for anything but digits
 */
export function contentLength(request: Request): number | undefined {
  return sizeHeader(request, "content-length");
}

/** A header that is a number of bytes; as {@linkcode contentLength}. */
export function sizeHeader(request: Request, name: string): number | undefined {
  const text = request.headers.get(name);
  if (text === null) return undefined;
  if (LENGTH.test(text)) return Number(text);
  throw new CacheError("invalid_argument", `Cannot read ${name} "${text.slice(0, 40)}"`);
}

function contentCoding(request: Request): "identity" | "zstd" {
  const coding = (request.headers.get("content-encoding") ?? "").trim().toLowerCase();
  if (coding === "" || coding === "identity") return "identity";
  if (coding === "zstd") return "zstd";
  const name = coding.slice(0, 40);
  throw new CacheError("unsupported", `Cannot decode a body of "${name}", want zstd or identity`, {
    operation: "body.decode",
    context: { status: 415 },
  });
}

function streamOfReader(reader: BodyReader): ByteStream {
  return new ReadableStream<Bytes>({
    async pull(controller) {
      const part = await reader.read();
      if (part) controller.enqueue(part);
      else controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
