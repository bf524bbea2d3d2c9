/**
 * Gives the system back what the C library keeps. Bodies live outside of V8's heap, in memory that it
 * hands out; what dies between two that live stays with the process, in pieces that fit nothing that
 * comes. A minute of a thousand clients leaves more of it than the clients themselves ever take.
 */
import type { Clock } from "../core/clock.ts";
import { toCacheError } from "../core/errors.ts";
import {
  SPARE_FROM_BYTES,
  SPARE_LOOK_MS,
  SPARE_REST_BYTES,
  SPARE_REST_LOOKS,
  SPARE_STEP_BYTES,
} from "../core/limits.ts";

/** The C library's side. */
export interface Trim extends Disposable {
  /** Gives back every whole page that nothing stands in; not on this thread. */
  run(): Promise<void>;
}

/** Opens it; `undefined` where the C library is not glibc, or may not be called. */
export function openTrim(): Trim | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const libc = Deno.dlopen("libc.so.6", {
      malloc_trim: { parameters: ["usize"], result: "i32", nonblocking: true },
    });
    return {
      run: async () => void await libc.symbols.malloc_trim(0n),
      [Symbol.dispose]: () => libc.close(),
    };
  } catch {
    return undefined; // musl gives memory back by itself, and has no such call
  }
}

/** Options of {@linkcode SpareMemory}. */
export interface SpareMemoryOptions {
  readonly clock: Clock;
  /** Disposed of at the end. */
  readonly trim: Trim;
  /** Bytes of this process that are in memory. */
  resident(): number;
  /** Lines for the log. */
  report(line: string): void;
}

/** Looks again and again until it is disposed of. */
export class SpareMemory implements AsyncDisposable {
  readonly #options: SpareMemoryOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  /** Begins at once, with a pause. */
  constructor(options: SpareMemoryOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { clock, trim, resident, report } = this.#options;
    const { signal } = this.#stop;
    using _library = trim;
    // What was left the last time, and is in use as far as anybody knows.
    let least = 0;
    let looks = 0;
    try {
      for (;;) {
        await clock.sleep(SPARE_LOOK_MS, signal);
        const now = resident();
        const grew = now >= Math.max(SPARE_FROM_BYTES, least) + SPARE_STEP_BYTES;
        const rests = ++looks >= SPARE_REST_LOOKS && now >= least + SPARE_REST_BYTES;
        if (!grew && !rests) {
          least = Math.min(least, now);
          continue;
        }
        await trim.run();
        least = resident();
        looks = 0;
      }
    } catch (thrown) {
      if (signal.aborted) return;
      report(`spare memory stays with the process: ${toCacheError(thrown, "memory").message}`);
    }
  }
}
