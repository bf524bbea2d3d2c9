/**
 * The engine inside a stream of node:zlib, driven by hand. In Deno 2.9.6 a damaged frame that is
 * written to `createZstdDecompress()` throws from a tick of the event loop, where nobody can catch
 * it: one bad request would end the process. Called directly, the same engine throws to its caller,
 * and makes no more output than it was given room for.
 */
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";

/** The part of node:zlib's streams that is used; Node and Deno have it alike. */
interface Engine {
  readonly _handle: {
    writeSync(
      flush: number,
      input: Uint8Array,
      inputOffset: number,
      inputLength: number,
      output: Uint8Array,
      outputOffset: number,
      outputLength: number,
    ): void;
  };
  /** After a write: room left in the output, bytes left of the input. */
  readonly _writeState: Uint32Array;
  close(): void;
}

/** What a step did. */
export interface EngineStep {
  /** Bytes of input that it took. */
  readonly taken: number;
  /** Bytes of output that it made. */
  readonly made: number;
}

/** Flush modes of {@linkcode ZstdEngine.step}. */
export const CONTINUE: number = constants.ZSTD_e_continue;
export const END: number = constants.ZSTD_e_end;

/** One compressor or decompressor; dispose of it, its memory is not the collector's. */
export class ZstdEngine implements Disposable {
  readonly #engine: Engine;
  #open = true;

  private constructor(stream: unknown) {
    this.#engine = stream as Engine;
    const shaped = typeof this.#engine._handle?.writeSync === "function" &&
      this.#engine._writeState instanceof Uint32Array;
    if (!shaped) {
      throw new CacheError("unsupported", "Cannot use zstd: this runtime's node:zlib is another", {
        operation: "zstd.open",
      });
    }
  }
  static compressor(level: number): ZstdEngine {
    return new ZstdEngine(
      createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level } }),
    );
  }
  /** `windowLog`: base-2 logarithm of the largest window it will make room for. */
  static decompressor(windowLog: number): ZstdEngine {
    return new ZstdEngine(
      createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: windowLog } }),
    );
  }
  /** Takes from `input` and fills `output` until one is used up. Throws for damaged input. */
  step(flush: number, input: Uint8Array, output: Bytes): EngineStep {
    const { _handle: handle, _writeState: state } = this.#engine;
    handle.writeSync(flush, input, 0, input.length, output, 0, output.length);
    return { taken: input.length - state[1]!, made: output.length - state[0]! };
  }
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#engine.close();
  }
}
