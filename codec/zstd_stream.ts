/** Zstandard for bodies: streams in, streams out, a few hundred KiB in between. */
import { abortable } from "../core/abort.ts";
import type { ByteStream, SignalOptions } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_ZSTD_WINDOW_BYTES } from "../core/limits.ts";
import type { FrameHeader } from "./zstd_frame.ts";
import { CONTINUE, END, ZstdEngine } from "./zstd_handle.ts";
import type { EngineStep } from "./zstd_handle.ts";
import { FrameWalker, ZstdDamage } from "./zstd_walker.ts";

/** Bytes of one piece of output; also the largest block of a frame. */
const PIECE_BYTES = 128 * 1024;

/** Base-2 logarithm of the largest window of all: 128 MiB, as the `zstd` tool's own default. */
const MAX_WINDOW_LOG = 27;

/** Options of {@linkcode decodeZstd}. */
export interface DecodeZstdOptions extends SignalOptions {
  /** Bytes of output after which it stops. */
  readonly limit: number;
  /** The kind of error for damaged input. Default `invalid_argument`: a client sent it. */
  readonly damage?: "invalid_argument" | "corrupt";
}

/** Options of {@linkcode encodeZstd}. */
export interface EncodeZstdOptions extends SignalOptions {
  /** 1 to 19. Default 1. */
  readonly level?: number;
}

/**
 * What a stream of one or more frames decodes to. Owns the stream: reads it to its end, or cancels
 * it on error, abort or `cancel`. Skippable frames are skipped.
 *
 * The output breaks with a {@linkcode CacheError}: `too_large` at the limit, or at once when a
 * frame says that it is larger; else `damage` for bytes that are no frame, a frame that is cut off
 * or wrong, an empty stream, a dictionary, or a window above 8 MiB (128 MiB if the frame states a
 * content as large as its window).
 */
export function decodeZstd(stream: ByteStream, options: DecodeZstdOptions): ByteStream {
  return transform(stream, (reader) => decodeFrames(reader, options));
}

/**
 * One zstd frame of all bytes of a stream. Owns the stream as {@linkcode decodeZstd} does. Output
 * comes when a block is full, so a slow source shows late.
 */
export function encodeZstd(stream: ByteStream, options: EncodeZstdOptions = {}): ByteStream {
  return transform(stream, (reader) => encodeFrame(reader, options));
}

type Reader = ReadableStreamDefaultReader<Bytes>;

async function* decodeFrames(reader: Reader, options: DecodeZstdOptions): AsyncGenerator<Bytes> {
  const { limit, signal } = options;
  const walker = new FrameWalker();
  let engine: ZstdEngine | undefined;
  let total = 0;
  let frameStart = 0;
  let stated: number | undefined;
  try {
    while (true) {
      const { done, value } = await abortable(reader.read(), signal);
      if (done) break;
      for (const step of walker.push(value)) {
        if (step.type === "start") {
          checkFrame(step.header, limit - total, limit);
          // A new engine a frame: a decoder that has met an end is not used again.
          engine?.[Symbol.dispose]();
          engine = ZstdEngine.decompressor(MAX_WINDOW_LOG);
          frameStart = total;
          stated = step.header.contentBytes;
        } else if (step.type === "data") {
          for (const piece of run(engine!, { flush: CONTINUE, input: step.bytes })) {
            total += piece.length;
            if (total > limit) throw tooLarge(limit);
            yield piece;
          }
        } else if (stated !== undefined && total - frameStart !== stated) {
          throw new ZstdDamage(`a frame has ${total - frameStart} bytes, want ${stated}`);
        }
      }
    }
    if (!walker.atBorder) throw new ZstdDamage("the last frame is cut off");
    if (walker.frames === 0) throw new ZstdDamage("it holds no frame");
  } catch (thrown) {
    // What the source throws, and the reason of an abort, go through as they are.
    if (!(thrown instanceof ZstdDamage)) throw thrown;
    throw new CacheError(
      options.damage ?? "invalid_argument",
      `Cannot decode zstd: ${thrown.message}`,
      { operation: "zstd.decode", cause: thrown },
    );
  } finally {
    engine?.[Symbol.dispose]();
  }
}

async function* encodeFrame(
  reader: Reader,
  { level = 1, signal }: EncodeZstdOptions,
): AsyncGenerator<Bytes> {
  using engine = ZstdEngine.compressor(level);
  while (true) {
    const { done, value } = await abortable(reader.read(), signal);
    if (done) break;
    yield* run(engine, { flush: CONTINUE, input: value });
  }
  yield* run(engine, { flush: END, input: new Uint8Array(0) });
}

/** All output that an input makes, piece by piece; each piece owns its memory. */
function* run(
  engine: ZstdEngine,
  { flush, input }: { flush: number; input: Bytes },
): Generator<Bytes, void, void> {
  let rest = input;
  while (true) {
    const output = new Uint8Array(PIECE_BYTES);
    const { taken, made } = stepOrDamage(engine, { flush, input: rest, output });
    rest = rest.subarray(taken);
    if (made === output.length) yield output;
    else if (made > 0) yield output.slice(0, made);
    // Room left over means that nothing waits inside.
    if (made < output.length) {
      if (rest.length > 0) throw new ZstdDamage("the engine leaves input behind");
      return;
    }
  }
}

function stepOrDamage(
  engine: ZstdEngine,
  { flush, input, output }: { flush: number; input: Bytes; output: Bytes },
): EngineStep {
  try {
    return engine.step(flush, input, output);
  } catch (thrown) {
    throw new ZstdDamage("a frame is damaged", { cause: thrown });
  }
}

function checkFrame(
  header: FrameHeader & { type: "data" },
  room: number,
  limit: number,
): void {
  const { contentBytes, windowBytes, dictionaryId } = header;
  if (contentBytes !== undefined && contentBytes > room) throw tooLarge(limit);
  if (dictionaryId !== 0) throw new ZstdDamage(`a frame wants dictionary ${dictionaryId}`);
  const stated = Math.min(contentBytes ?? 0, 2 ** MAX_WINDOW_LOG);
  if (windowBytes > Math.max(MAX_ZSTD_WINDOW_BYTES, stated)) {
    throw new ZstdDamage(`a frame wants a window of ${windowBytes} bytes`);
  }
}

/** A stream over a generator that reads another. Cancelling it wakes a generator that waits. */
function transform(
  stream: ByteStream,
  generate: (reader: Reader) => AsyncGenerator<Bytes>,
): ByteStream {
  const reader = stream.getReader();
  const generator = generate(reader);
  return new ReadableStream<Bytes>({
    async pull(controller) {
      try {
        const { done, value } = await generator.next();
        if (!done) return controller.enqueue(value);
        reader.releaseLock();
        controller.close();
      } catch (thrown) {
        controller.error(thrown);
        // The consumer hears of `thrown`; that the source fails to end as well adds nothing.
        await reader.cancel(thrown).catch(() => {});
        reader.releaseLock();
      }
    },
    async cancel(reason) {
      try {
        await reader.cancel(reason);
      } finally {
        await generator.return(undefined);
        reader.releaseLock();
      }
    },
  }, { highWaterMark: 0 });
}

function tooLarge(limit: number): CacheError {
  return new CacheError("too_large", `Cannot decode zstd: more than ${limit} bytes`, {
    operation: "zstd.decode",
  });
}
