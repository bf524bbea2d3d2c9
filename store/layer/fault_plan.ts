/** Which call fails how: the plan of a {@linkcode faultLayer}. */
import type { Clock } from "../../core/clock.ts";
import { CacheError } from "../../core/errors.ts";
import type { ErrorKind, Retry } from "../../core/errors.ts";

/** The calls of an object store. */
export type FaultOperation = "get" | "put" | "stat" | "delete" | "list";

/** What goes wrong. Errors are `unavailable` unless a kind is given. */
export type FaultEffect =
  & { readonly kind?: ErrorKind | undefined; readonly retry?: Retry | undefined }
  & (
    /** The call rejects before anything happens. */
    | { readonly type: "error" }
    /** The call begins so many milliseconds late, by the plan's clock. */
    | { readonly type: "delay"; readonly ms: number }
    /** A `get` breaks after so many bytes, a `list` after so many objects. */
    | { readonly type: "cut"; readonly at: number }
    /** A `put` leaves only the first bytes under the key, as no good medium does, and rejects. */
    | { readonly type: "half"; readonly at: number }
    /** A `put` or `delete` is done, but its answer is lost. */
    | { readonly type: "lost" }
    /** A `get`, `stat` or `list` answers as before the last change of each object. */
    | { readonly type: "stale" }
  );

/** One line of a plan. */
export type Fault = FaultEffect & {
  readonly operation: FaultOperation;
  /** Only calls with this key (the first one of a batch, the prefix of a list). Default: any. */
  readonly key?: string | undefined;
  /** So many matching calls pass first. Default 0. */
  readonly skip?: number | undefined;
  /** So many calls are hit. Default 1. */
  readonly times?: number | undefined;
};

/** Which operations an effect makes sense for; a plan that could never be met is refused. */
const FITS: Readonly<Record<FaultEffect["type"], readonly FaultOperation[]>> = {
  error: ["get", "put", "stat", "delete", "list"],
  delay: ["get", "put", "stat", "delete", "list"],
  cut: ["get", "list"],
  half: ["put"],
  lost: ["put", "delete"],
  stale: ["get", "stat", "list"],
};

/** A list of faults, used up as calls come in. A test ends with `pending === 0`. */
export class FaultPlan {
  /** Calls so far, hit or not. */
  readonly calls: Record<FaultOperation, number> = { get: 0, put: 0, stat: 0, delete: 0, list: 0 };
  readonly #lines: { readonly fault: Fault; skip: number; times: number }[];
  readonly #clock: Clock;

  /** @throws {TypeError} for an effect that its operation can not have */
  constructor(clock: Clock, faults: readonly Fault[] = []) {
    this.#clock = clock;
    this.#lines = faults.map((fault) => {
      if (!FITS[fault.type].includes(fault.operation)) {
        throw new TypeError(`Cannot plan "${fault.type}" for ${fault.operation}`);
      }
      return { fault, skip: fault.skip ?? 0, times: fault.times ?? 1 };
    });
  }
  /** How many planned faults no call has met yet. */
  get pending(): number {
    return this.#lines.reduce((sum, { times }) => sum + times, 0);
  }
  /** Whether a stale answer is still to come, so that old objects must be kept. */
  get plansStale(): boolean {
    return this.#lines.some(({ fault, times }) => fault.type === "stale" && times > 0);
  }
  /**
   * Counts a call, and tells what goes wrong with it; delays and plain errors happen here. Delays
   * add up with the next effect.
   */
  async meet(
    operation: FaultOperation,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<FaultEffect | undefined> {
    this.calls[operation]++;
    const due = this.#lines.filter((line) => {
      const { fault } = line;
      if (fault.operation !== operation || line.times === 0) return false;
      if (fault.key !== undefined && fault.key !== key) return false;
      if (line.skip === 0) return true;
      line.skip--;
      return false;
    });
    for (const line of due) {
      const { fault } = line;
      line.times--;
      if (fault.type === "error") throw this.error(fault, `${operation} "${key}"`);
      if (fault.type !== "delay") return fault;
      await this.#clock.sleep(fault.ms, signal);
    }
    return undefined;
  }
  /** The error of a fault. */
  error(fault: FaultEffect, what: string): CacheError {
    return new CacheError(fault.kind ?? "unavailable", `Cannot ${what}: planned fault`, {
      operation: "fault",
      ...(fault.retry === undefined ? {} : { retry: fault.retry }),
    });
  }
}
