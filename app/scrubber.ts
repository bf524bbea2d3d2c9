/** Reads all that is stored, slowly and over and over, so that damage is found before it is needed. */
import type { Clock } from "../core/clock.ts";
import type { Counters } from "../core/counters.ts";
import { toCacheError } from "../core/errors.ts";
import { SCRUB_EVERY_MS, SCRUB_RETRY_MS, SCRUB_YIELDS } from "../core/limits.ts";
import type { ScrubStatus } from "../core/scrub.ts";
import type { ScrubStep } from "../store/pack/scrub.ts";

/** Options of {@linkcode Scrubber}. */
export interface ScrubberOptions {
  /** Bytes per second, at most. */
  readonly rate: number;
  readonly clock: Clock;
  readonly counters: Pick<Counters, "get">;
  /** Does the next step. */
  step(signal: AbortSignal): Promise<ScrubStep>;
  /** Where it is. */
  status(): ScrubStatus | undefined;
  /** Lines for the log. */
  report(line: string): void;
}

/** A step that read nothing is paid for, too: else a store without records would keep a thread busy. */
const LEAST_BYTES = 64 * 1024;

/** Milliseconds in which at most so many requests are a quiet time. */
const QUIET_MS = 10;
const QUIET_REQUESTS = 1;

/** Runs until it is disposed. A round that was cut off goes on where it was at the next start. */
export class Scrubber implements AsyncDisposable {
  readonly #options: ScrubberOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  /** Begins at once, with the first pause. */
  constructor(options: ScrubberOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#rest();
        await this.#work();
      } catch (thrown) {
        if (signal.aborted) return;
        // A medium that does not answer now is read later: nothing is known of what it holds.
        this.#options.report(`the scrub waits: ${toCacheError(thrown, "scrub").message}`);
        await this.#sleep(SCRUB_RETRY_MS).catch(() => {});
      }
    }
  }

  /** Waits until the next round is due; one that is under way is due at once. */
  async #rest(): Promise<void> {
    const { status, clock } = this.#options;
    const state = status();
    if (!state || state.running) return;
    await this.#sleep(Math.max(0, state.began + SCRUB_EVERY_MS - clock.now()));
  }

  /** Reads to the end of the round. */
  async #work(): Promise<void> {
    const { rate, step, report } = this.#options;
    let damaged = 0;
    for (let ended = false; !ended;) {
      await this.#yield();
      const did = await step(this.#stop.signal);
      damaged += did.damaged;
      ended = did.ended;
      await this.#sleep(1000 * Math.max(did.read, LEAST_BYTES) / rate);
    }
    if (damaged > 0) {
      report(`ALARM: the scrub found ${damaged} damaged places: run verify --repair`);
    }
  }

  /** Lets requests go first, but not for ever. */
  async #yield(): Promise<void> {
    const { counters } = this.#options;
    for (let n = 0; n < SCRUB_YIELDS; n++) {
      const before = counters.get("requests");
      await this.#sleep(QUIET_MS);
      const busy = counters.get("requests") - before > QUIET_REQUESTS;
      if (!busy && counters.get("bytes_in_flight") === 0) return;
    }
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#stop;
    signal.throwIfAborted();
    await this.#options.clock.sleep(ms, signal);
  }
}
