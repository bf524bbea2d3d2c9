/**
 * How long a build waits for a server that is ill: twice, then never again. While the server is
 * thought to be down nobody waits; one question now and then goes ahead to see whether it is back.
 */
import type { Clock } from "../../core/clock.ts";
import type { CacheError } from "../../core/errors.ts";
import { GO_MAX_DAMAGED, GO_PROBE_MS } from "../../core/build_limits.ts";

/** Outages that a build waits for. */
const MAX_OUTAGES = 2;

const OUTAGE: ReadonlySet<string> = new Set([
  "unavailable",
  "timeout",
  "rate_limited",
  "internal",
  "quota_exceeded",
]);

/** What to do with a question. */
export type Advice = "ask" | "probe" | "miss";

/** The state of the server, as one build sees it. */
export class Patience {
  readonly #clock: Clock;
  readonly #say: (text: string) => void;
  #state: "up" | "down" | "off" = "up";
  #outages = 0;
  #damaged = 0;
  #probeAt = 0;
  #gone = new AbortController();

  /** `say` hears, in one line, whenever something changes for the build. */
  constructor(clock: Clock, say: (text: string) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  /** Aborts when the server stops answering: whoever waits for it need not wait his own time. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }
  /** Whether it answers, as far as is known. */
  get up(): boolean {
    return this.#state === "up";
  }
  /** How often it stopped answering. */
  get outages(): number {
    return this.#outages;
  }

  /** Whether to ask now: `probe` is to ask without anybody waiting for the answer. */
  advice(): Advice {
    if (this.#state === "up") return "ask";
    if (this.#state === "off" || this.#clock.monotonic() < this.#probeAt) return "miss";
    this.#probeAt = this.#clock.monotonic() + GO_PROBE_MS;
    return "probe";
  }

  /** It answered. */
  succeeded(): void {
    if (this.#state !== "down") return;
    this.#state = "up";
    this.#gone = new AbortController();
  }

  /** It did not do what was asked. */
  failed(error: CacheError): void {
    if (this.#state === "off") return;
    if (error.kind === "corrupt") {
      if (++this.#damaged >= GO_MAX_DAMAGED) this.#off("the server sends wrong bytes");
    } else if (!OUTAGE.has(error.kind)) {
      this.#off(error.message);
    } else if (this.#state === "down") {
      this.#probeAt = this.#clock.monotonic() + GO_PROBE_MS;
    } else if (++this.#outages >= MAX_OUTAGES) {
      this.#off("the server stopped answering again");
    } else {
      this.#state = "down";
      this.#probeAt = this.#clock.monotonic() + GO_PROBE_MS;
      this.#say(`going on without the server for now: ${error.message}`);
      this.#gone.abort(error);
    }
  }

  #off(why: string): void {
    this.#state = "off";
    this.#say(`going on without the server: ${why}`);
    this.#gone.abort();
  }
}
