/**
 * How many bytes may be on the way. The receiver gives credits when bytes are *stored*, class by
 * class, so that a slow disk holds the sender back and not memory. A message may be begun while
 * anything is left; what it takes too much is missing from the next credits. So a message larger
 * than a window is no special case, and at most one message a class goes beyond it.
 */
import { abortable } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import { FIRST_CREDIT_BYTES, MAX_CREDIT_BYTES } from "../../core/sync_limits.ts";
import { CREDIT_CLASSES, violation } from "./messages.ts";
import type { CreditClass } from "./messages.ts";

/** The sender's side: waits until there is credit. */
export class CreditAccount {
  readonly #classes = new Map(
    CREDIT_CLASSES.map((name) => [name, {
      left: FIRST_CREDIT_BYTES,
      more: Promise.withResolvers<void>(),
    }]),
  );

  /**
   * Takes credit for one message of this class, for one caller a class at a time: whoever sends
   * keeps an order of its own.
   */
  async take(creditClass: CreditClass, bytes: number, { signal }: SignalOptions): Promise<void> {
    const account = this.#classes.get(creditClass)!; // all are there
    while (account.left <= 0) await abortable(account.more.promise, signal);
    account.left -= bytes;
  }

  /**
   * The other side has stored so many bytes.
   * @throws {CacheError} `invalid_argument` for more than a peer may ever give
   */
  grant(creditClass: CreditClass, bytes: number): void {
    const account = this.#classes.get(creditClass)!; // all are there
    account.left += bytes;
    if (account.left > MAX_CREDIT_BYTES) {
      throw violation(`it gives more than ${MAX_CREDIT_BYTES} bytes of credit`);
    }
    account.more.resolve();
    account.more = Promise.withResolvers();
  }
}

/** Grants are sent when this part of a window is stored: a CREDIT for every message would be noise. */
const GRANT_PART = 4;

/** The receiver's side: holds the sender to what it was given, and gives more. */
export class CreditWindows {
  readonly #classes = new Map(
    CREDIT_CLASSES.map((name) => [name, {
      /** What the sender may still send, as it must see it. */
      left: FIRST_CREDIT_BYTES,
      /** What may be on the way at most. */
      window: FIRST_CREDIT_BYTES,
      /** Stored, and not told yet. */
      owed: 0,
      /** Stored since the window grew last. */
      stored: 0,
    }]),
  );
  #total = CREDIT_CLASSES.length * FIRST_CREDIT_BYTES;

  /** Bytes that may be on the way in a class. */
  window(creditClass: CreditClass): number {
    return this.#classes.get(creditClass)!.window; // all are there
  }

  /**
   * A message has come.
   * @throws {CacheError} `invalid_argument` when it was begun without credit
   */
  received(creditClass: CreditClass, bytes: number): void {
    const state = this.#classes.get(creditClass)!; // all are there
    if (state.left <= 0) throw violation(`it sends without credit in class "${creditClass}"`);
    state.left -= bytes;
  }

  /**
   * Its bytes are stored, or were not needed. Returns what is to be granted now, 0 for nothing. A
   * window that was stored once over is doubled while all of them fit into the limit.
   */
  stored(creditClass: CreditClass, bytes: number): number {
    const state = this.#classes.get(creditClass)!; // all are there
    state.owed += bytes;
    state.stored += bytes;
    if (state.stored >= state.window) {
      const growth = Math.min(state.window, MAX_CREDIT_BYTES - this.#total);
      state.stored = 0;
      state.window += growth;
      state.owed += growth;
      this.#total += growth;
    }
    if (state.owed < state.window / GRANT_PART) return 0;
    const { owed } = state;
    state.owed = 0;
    state.left += owed;
    return owed;
  }
}
