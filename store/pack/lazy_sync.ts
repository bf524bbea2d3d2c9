/** Relaxed durability: what was acknowledged reaches the disk a little later, by itself. */
import type { Clock } from "../../core/clock.ts";
import { toCacheError } from "../../core/errors.ts";
import { RELAXED_SYNC_MS } from "../../core/limits.ts";
import { reportFailure, sync } from "./pack.ts";
import type { Pack } from "./pack.ts";

/** Syncs the active segments of a pack once for all rounds of a while; it hears of them itself. */
export class LazySync {
  readonly #pack: Pack;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #waiting: Promise<void> | undefined;

  constructor(pack: Pack) {
    this.#pack = pack;
    this.#clock = pack.options.clock;
    pack.onUnsynced = () => this.#soon();
  }

  /** Resolves when nothing is waiting any more; the owner syncs what is left. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#waiting;
  }

  /** Something is not durable yet: it will be within `RELAXED_SYNC_MS`. */
  #soon(): void {
    if (!this.#stop.signal.aborted) this.#waiting ??= this.#later();
  }

  async #later(): Promise<void> {
    try {
      await this.#clock.sleep(RELAXED_SYNC_MS, this.#stop.signal);
    } catch {
      return; // closed, which syncs itself
    } finally {
      this.#waiting = undefined;
    }
    // Data first, as in a round: an entry should not be durable before the bytes it names.
    for (const area of ["data", "log"] as const) {
      try {
        if (!this.#pack.active[area].broken) sync(this.#pack, area);
      } catch (thrown) {
        reportFailure(this.#pack, "sync", toCacheError(thrown, "pack.sync"));
      }
    }
  }
}
