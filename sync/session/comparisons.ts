/** All comparisons of a session, those of both sides. */
import { onAbort } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { OPEN_COMPARISONS } from "../../core/sync_limits.ts";
import type { SyncPlace, SyncStore } from "../../core/sync_store.ts";
import { Comparison } from "./comparison.ts";
import type { ComparisonResult } from "./comparison.ts";
import type { Incoming } from "./incoming.ts";
import { violation } from "./messages.ts";
import { placeOf } from "./open_place.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Speaker } from "./speaker.ts";

/** What a session gives to its comparisons. */
export interface ComparisonsOptions {
  readonly role: "opener" | "answerer";
  readonly store: SyncStore;
  readonly salt: Bytes;
  readonly speaker: Speaker;
  readonly outgoing: Outgoing;
  readonly incoming: Incoming;
  readonly ended: AbortSignal;
}

interface Open {
  readonly comparison: Comparison;
  readonly result: PromiseWithResolvers<ComparisonResult>;
}

/** Numbers them, finds them, and remembers which are over. */
export class Comparisons {
  readonly #options: ComparisonsOptions;
  readonly #open = new Map<number, Open>();
  /** The last number of each side. */
  #mine: number;
  #theirs = 0;
  #away = false;

  constructor(options: ComparisonsOptions) {
    this.#options = options;
    this.#mine = options.role === "opener" ? 0 : -1;
  }

  /** One that is open. */
  get(number: number): Comparison | undefined {
    return this.#open.get(number)?.comparison;
  }

  /** See `Session.compare`. */
  async open(
    place: SyncPlace,
    { push, signal }: SignalOptions & { readonly push: boolean },
  ): Promise<ComparisonResult> {
    if (this.#away) {
      throw new CacheError("unavailable", "Cannot compare: the session is about to end", {
        operation: "session.compare",
      });
    }
    if (this.#open.size >= OPEN_COMPARISONS) {
      throw new CacheError("rate_limited", "Cannot compare: too many comparisons are open", {
        operation: "session.compare",
      });
    }
    const number = this.#mine += 2;
    const { result } = this.#begin(number, { place, role: "opener", push });
    using _listener = onAbort(signal, () => {
      if (!this.#open.delete(number)) return;
      result.reject(signal!.reason);
      this.#cancel(number, "cancelled");
    });
    return await result.promise;
  }

  /** No further one begins; those that are open go on. */
  goAway(): void {
    this.#away = true;
  }

  /** A message of one, which may begin with it. */
  receive(number: number, body: Bytes): void {
    if (!this.#isTheirs(number) || number <= this.#theirs) {
      // Behind its end messages may still be on their way.
      return this.known(number)?.receive(body);
    }
    this.#theirs = number;
    const place = placeOf(body);
    if (!place) throw violation("a comparison does not begin with a place");
    const refused = this.#refuses(place);
    if (refused) return this.#cancel(number, refused);
    const { comparison } = this.#begin(number, { place, role: "answerer", push: true });
    comparison.receive(body);
  }

  /**
   * One that the other side talks of; `undefined` when it is over.
   * @throws {CacheError} `invalid_argument` for one that never was
   */
  known(number: number): Comparison | undefined {
    if (number > (this.#isTheirs(number) ? this.#theirs : this.#mine)) {
      throw violation("it talks of a comparison that never began");
    }
    return this.get(number);
  }

  /** The other side has ended one. */
  cancelled(number: number, kind: ErrorKind): void {
    this.known(number);
    const open = this.#open.get(number);
    this.#open.delete(number);
    const why = kind.replaceAll("_", " ");
    open?.result.reject(
      new CacheError(kind, `Cannot compare: the peer ended it, ${why}`, {
        operation: "session.compare",
      }),
    );
  }

  /** The session is over, and so are they. */
  end(error: CacheError): void {
    for (const { result } of this.#open.values()) result.reject(error);
    this.#open.clear();
  }

  /** What is not shown and what is not there look the same. */
  #refuses(place: SyncPlace): ErrorKind | undefined {
    if (!this.#options.store.can("read", place)) return "not_found";
    if (this.#away) return "unavailable";
    return this.#open.size >= 2 * OPEN_COMPARISONS ? "rate_limited" : undefined;
  }

  #begin(
    number: number,
    options: { place: SyncPlace; role: "opener" | "answerer"; push: boolean },
  ): Open {
    const result = Promise.withResolvers<ComparisonResult>();
    // Only who opened it waits for it.
    result.promise.catch(() => {});
    const comparison = new Comparison({
      ...this.#options,
      ...options,
      number,
      busy: () => this.#options.incoming.busy(number),
      done: (how) => {
        this.#open.delete(number);
        result.resolve(how);
      },
    });
    const open = { comparison, result };
    this.#open.set(number, open);
    return open;
  }

  #cancel(number: number, kind: ErrorKind): void {
    this.#options.speaker.control((says) => says.cancel({ comparison: number, kind }));
  }

  /** The opener of the session has even numbers, the other side odd ones. */
  #isTheirs(number: number): boolean {
    return (number % 2 === 0) !== (this.#options.role === "opener");
  }
}
