/** A cache that is down, slow or refuses must not fail a build: a warning, and a miss. */
import { abortable, onAbort } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import type { ErrorKind } from "../core/errors.ts";
import { CacheError, toCacheError } from "../core/errors.ts";
import {
  TOLERANT_ANSWER_MS,
  TOLERANT_BYTES_PER_SECOND,
  TOLERANT_TRANSFER_MS,
} from "../core/build_limits.ts";
import { UsageError } from "./exit_codes.ts";
import type { Output } from "./output.ts";
import { shown } from "./output.ts";

/** What to do about a cache that can not be used: `--on-error`. */
export type OnError = "warn" | "fail";

/** Options of a {@linkcode Tolerance}. */
export interface ToleranceOptions {
  readonly output: Output;
  readonly clock: Clock;
  /** The user's own wish to stop is never taken for an outage. */
  readonly interrupted: AbortSignal;
  /** Default `warn`. */
  readonly onError?: OnError;
  /** Which failures are the cache's. Default {@linkcode isCacheTrouble}. */
  readonly tolerates?: (error: CacheError) => boolean;
}

/** Options of {@linkcode Tolerance.attempt}. */
export interface AttemptOptions {
  /** Bytes that will be carried either way; they lengthen the deadline. Default: small answers only. */
  readonly bytes?: number;
  /** Small answers that are waited for one after the other. Default 1. */
  readonly answers?: number;
}

/** Tells, while work is done, that so many bytes are to be carried after all. */
export type Lengthen = (bytes: number) => void;

const TROUBLE: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "unavailable",
  "timeout",
  "rate_limited",
  "unauthenticated",
  "permission_denied",
  "quota_exceeded",
  "too_large",
  "unsupported",
  "internal",
  "corrupt",
]);

/**
 * Asks the cache on behalf of a build. The first failure is a warning; from then on the cache is
 * left alone, so that an outage costs one deadline and not one for each question.
 */
export class Tolerance {
  readonly #options: ToleranceOptions;
  #failed = false;

  constructor(options: ToleranceOptions) {
    this.#options = options;
  }

  /** Whether the cache has failed before and is left alone. */
  get failed(): boolean {
    return this.#failed;
  }

  /**
   * What `work` gives, or `undefined` when the cache failed now or before: a miss. `work` must hand
   * the signal on; it aborts at the deadline and when the user interrupts.
   * @throws {CacheError} with `--on-error fail`, and whatever is no failure of the cache
   */
  async attempt<T>(
    what: string,
    work: (signal: AbortSignal, lengthen: Lengthen) => Promise<T>,
    options: AttemptOptions = {},
  ): Promise<T | undefined> {
    if (this.#failed) return undefined;
    const { interrupted } = this.#options;
    const { bytes, answers = 1 } = options;
    const ms = bytes === undefined ? answers * TOLERANT_ANSWER_MS : transferMs(bytes);
    try {
      return await this.#within(what, ms, work);
    } catch (thrown) {
      if (interrupted.aborted) throw interrupted.reason;
      this.give(what, thrown);
      return undefined;
    }
  }

  /**
   * Deals with a failure that came up elsewhere, as when the store was opened.
   * @throws {CacheError} as {@linkcode attempt}
   */
  give(what: string, thrown: unknown): void {
    const { output, onError, tolerates = isCacheTrouble } = this.#options;
    const error = toCacheError(thrown, "tolerance.attempt");
    if (onError === "fail" || !tolerates(error)) throw thrown;
    this.#failed = true;
    const hint = thrown instanceof UsageError ? thrown.hint : error.hint;
    output.warn(`going on without the cache: could not ${what}: ${shown(error.message)}`, hint);
  }

  async #within<T>(
    what: string,
    ms: number,
    work: (signal: AbortSignal, lengthen: Lengthen) => Promise<T>,
  ): Promise<T> {
    const { clock, interrupted } = this.#options;
    const late = new AbortController();
    const done = new AbortController();
    using _listener = onAbort(interrupted, () => late.abort(interrupted.reason));
    const began = clock.monotonic();
    let most = ms;
    const lengthen = (bytes: number) => void (most += transferMs(bytes));
    const watch = async () => {
      for (let spent = 0; spent < most; spent = clock.monotonic() - began) {
        await clock.sleep(most - spent, done.signal);
      }
      const text = `Cannot ${what}: it takes longer than ${most} ms`;
      late.abort(new CacheError("timeout", text, { operation: "client.deadline" }));
    };
    const timer = watch().catch(() => {
      // The work was done first.
    });
    try {
      // Also where a part of the work does not hear the signal: then that part goes on unheard.
      return await abortable(work(late.signal, lengthen), late.signal);
    } finally {
      done.abort();
      await timer;
    }
  }
}

/**
 * As `Tolerance.attempt`, and does not return before the work has ended, however it was given up:
 * work that writes files has to put away what is half done.
 */
export async function attemptToItsEnd<T>(
  tolerance: Tolerance,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  options: AttemptOptions,
): Promise<T | undefined> {
  let working: Promise<T> | undefined;
  try {
    return await tolerance.attempt(what, (signal) => working = work(signal), options);
  } finally {
    // How it went was told above.
    await working?.catch(() => {});
  }
}

/** Parts of a cache, far and in a folder, as the operations of their errors name them. */
const CACHE_PARTS = /^(?:client|pack|cas|index|log|lock|writer|object_store)\./;

/**
 * Whether a failure is the cache's: it can not be reached, is slow, refuses, is full, is damaged, is
 * held by another process or talks nonsense. What the caller asked for, his own files and a hostile
 * tree are not.
 */
export function isCacheTrouble({ operation = "", kind }: CacheError): boolean {
  if (operation === "lock.take") return true;
  return CACHE_PARTS.test(operation) && TROUBLE.has(kind);
}

/** Milliseconds that so many bytes may take. */
export function transferMs(bytes: number): number {
  return TOLERANT_TRANSFER_MS + Math.ceil((bytes / TOLERANT_BYTES_PER_SECOND) * 1000);
}
