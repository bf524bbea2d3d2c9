/** How long one exchange with the server may hold up a build. */
import type { Clock } from "../../core/clock.ts";
import { CacheError } from "../../core/errors.ts";
import { RELAY_WAIT_MS, TOLERANT_BYTES_PER_SECOND } from "../../core/build_limits.ts";
import { IdleWatch } from "../../server/idle_watch.ts";

/** What to watch with, and what then. */
export interface PatienceOptions {
  readonly clock: Clock;
  /** Milliseconds of silence. Default `RELAY_WAIT_MS`. */
  readonly silenceMs?: number;
  /** Called once, with a `timeout`. */
  onLate(error: CacheError): void;
}

/**
 * Ends at a silence, and at a trickle: a byte a second is never silent. Only the time between `wait`
 * and `moved` counts, so a build tool that reads slowly is not taken for a slow server.
 */
export class Patience implements Disposable {
  readonly #options: PatienceOptions;
  readonly #watch: IdleWatch;
  #since: number | undefined;
  #waitedMs = 0;
  #bytes = 0;
  #late = false;

  /** Watches nothing yet. */
  constructor(options: PatienceOptions) {
    const { clock, silenceMs = RELAY_WAIT_MS } = options;
    this.#options = options;
    this.#watch = new IdleWatch(clock, {
      limit: silenceMs,
      onIdle: () => this.#end(`nothing moved for ${silenceMs} ms`),
      onError: (error) => this.#end(error.message),
    });
  }

  /** Milliseconds that the server was waited for so far. */
  get waitedMs(): number {
    const { clock } = this.#options;
    return this.#waitedMs + (this.#since === undefined ? 0 : clock.monotonic() - this.#since);
  }
  /** From now on we wait for the server. */
  wait(): void {
    this.#since ??= this.#options.clock.monotonic();
    this.#watch.wait();
  }
  /** It did something: so many bytes. Nobody waits until `wait`. */
  moved(bytes = 0): void {
    this.#waitedMs = this.waitedMs;
    this.#since = undefined;
    this.#bytes += bytes;
    this.#watch.resume();
    const most = RELAY_WAIT_MS + (this.#bytes / TOLERANT_BYTES_PER_SECOND) * 1000;
    if (this.#waitedMs > most) this.#end(`less than ${TOLERANT_BYTES_PER_SECOND} bytes a second`);
  }
  /** Ends the watch. Safe to call twice. */
  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  #end(state: string): void {
    if (this.#late) return;
    this.#late = true;
    this[Symbol.dispose]();
    const text = `Cannot wait for the cache any longer: ${state}`;
    this.#options.onLate(new CacheError("timeout", text, { operation: "client.relay" }));
  }
}
