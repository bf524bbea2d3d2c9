/** A progress bar with rate and time left, on a terminal only. */
import { formatDuration, formatSize } from "../core/units.ts";
import type { ByteSource, ByteStream } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import type { Environment } from "./environment.ts";
import { shown } from "./output.ts";

const REDRAW_MS = 100;
const BAR = 24;

/** Draws bytes done, rate and time left on one line of standard error. */
export class Progress implements Disposable {
  readonly #environment: Environment;
  readonly #label: string;
  readonly #total: number | undefined;
  readonly #began: number;
  #done = 0;
  #drawn = -Infinity;

  constructor(environment: Environment, label: string, total: number | undefined) {
    this.#environment = environment;
    this.#label = label;
    this.#total = total;
    this.#began = environment.clock.monotonic();
  }
  /** Counts bytes; redraws at most ten times a second, and never where there is no terminal. */
  add(bytes: number): void {
    this.#done += bytes;
    const now = this.#environment.clock.monotonic();
    if (!this.#environment.interactive || now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    this.#environment.stderr(`\r\x1b[K${this.line(now)}`);
  }
  /** The line as it would be drawn at `now`. */
  line(now: number): string {
    const seconds = Math.max((now - this.#began) / 1000, 0.001);
    const rate = this.#done / seconds;
    const parts = [shown(this.#label), formatSize(this.#done), `${formatSize(rate)}/s`];
    if (this.#total) {
      const share = Math.min(this.#done / this.#total, 1);
      const full = Math.round(share * BAR);
      parts.splice(
        1,
        0,
        `[${"=".repeat(full)}${" ".repeat(BAR - full)}] ${Math.floor(share * 100)} %`,
      );
      if (rate > 0) {
        const left = Math.max(this.#total - this.#done, 0);
        parts.push(`${formatDuration((left / rate) * 1000)} left`);
      }
    }
    return parts.join("  ");
  }
  /** Takes the line away. */
  [Symbol.dispose](): void {
    if (this.#drawn > -Infinity) this.#environment.stderr("\r\x1b[K");
  }
}

/** The stream, with its bytes counted as they pass. */
export function counted(stream: ByteStream, progress: Progress): ByteStream {
  return stream.pipeThrough(
    new TransformStream<Bytes, Bytes>({
      transform(part, controller) {
        progress.add(part.length);
        controller.enqueue(part);
      },
    }),
  );
}

/** The source, with its bytes counted as they are read. */
export function countedSource(source: ByteSource, progress: Progress): ByteSource {
  const { bytes: _bytes, path: _path, ...plain } = source;
  return { ...plain, open: (options) => counted(source.open(options), progress) };
}
