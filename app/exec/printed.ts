/** What a program prints: shown at once, kept for the next time, searched for secrets. */
import { abortable } from "../../core/abort.ts";
import { concat } from "../../core/bytes.ts";
import type { ByteStream } from "../../core/bytes.ts";
import type { Clock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import type { SecretScanner } from "./secret_scanner.ts";

/** Bytes that the streams of one program may still keep, together. */
export interface Room {
  left: number;
}

/** One stream of a program. */
export class Printed {
  readonly #show: (part: Uint8Array) => void | Promise<void>;
  readonly #scanner: SecretScanner;
  readonly #room: Room;
  #parts: Bytes[] | undefined = [];
  #problem: string | undefined;
  #shownMs = 0;
  /** What the clock says, from when on a part is being shown. */
  #showing: { readonly clock: Clock; readonly since: number } | undefined;

  constructor(
    options: {
      show(part: Uint8Array): void | Promise<void>;
      readonly scanner: SecretScanner;
      readonly room: Room;
    },
  ) {
    this.#show = options.show;
    this.#scanner = options.scanner;
    this.#room = options.room;
  }

  /** Why it may not be stored, in words for a person; `undefined` if it may. */
  get problem(): string | undefined {
    const { found } = this.#scanner;
    return found === undefined ? this.#problem : `${found} is in what it printed`;
  }

  /** Milliseconds that was waited for whoever reads what is shown, until now. */
  shownMs(): number {
    if (!this.#showing) return this.#shownMs;
    return this.#shownMs + this.#showing.clock.monotonic() - this.#showing.since;
  }

  /** All that was printed; `undefined` when there is a {@linkcode problem}. */
  bytes(): Bytes | undefined {
    return this.problem === undefined && this.#parts ? concat(this.#parts) : undefined;
  }

  /**
   * Reads the stream to its end, or until the signal aborts. When nobody listens to us any more the
   * stream is closed, and the program hears of it as it would without us.
   */
  async read(
    stream: ByteStream,
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<void> {
    const reader = stream.getReader();
    try {
      while (true) {
        const { done, value } = await abortable(reader.read(), signal);
        if (done) return;
        this.#keep(value);
        await this.#shown(value, clock);
      }
    } catch (thrown) {
      if (!signal.aborted && !(thrown instanceof Deno.errors.BrokenPipe)) throw thrown;
      this.#drop("not all that it printed was read");
    } finally {
      // Closes the pipe; after its end this does nothing.
      await reader.cancel();
    }
  }

  async #shown(part: Bytes, clock: Clock): Promise<void> {
    this.#showing = { clock, since: clock.monotonic() };
    try {
      await this.#show(part);
    } finally {
      this.#shownMs = this.shownMs();
      this.#showing = undefined;
    }
  }

  #keep(part: Bytes): void {
    this.#scanner.push(part);
    if (this.#parts === undefined) return;
    this.#room.left -= part.length;
    if (this.#room.left < 0) return this.#drop("it printed more than is kept");
    this.#parts.push(part);
  }
  #drop(problem: string): void {
    this.#problem ??= problem;
    this.#parts = undefined;
  }
}
