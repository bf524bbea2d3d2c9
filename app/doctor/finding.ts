/** What an examination says of one thing. */
import { toCacheError } from "../../core/errors.ts";

/** `warning` works for now; `failed` does not. */
export type State = "ok" | "warning" | "failed";

/** A verdict, in words of a person; `hint` says what to do. */
export interface Verdict {
  readonly state: State;
  readonly detail: string;
  readonly hint?: string;
}

/** A verdict, and on what. */
export interface Finding extends Verdict {
  readonly check: string;
}

/** All is well. */
export function ok(detail: string): Verdict {
  return { state: "ok", detail };
}

/** Works, but should be looked into. */
export function warning(detail: string, hint: string): Verdict {
  return { state: "warning", detail, hint };
}

/** Does not work. */
export function failed(detail: string, hint?: string): Verdict {
  return { state: "failed", detail, ...(hint === undefined ? {} : { hint }) };
}

/** The verdict on something that threw. */
export function failedBy(thrown: unknown): Verdict {
  const error = toCacheError(thrown, "doctor");
  return failed(error.message, error.hint);
}

/** Findings as they come in, in order. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #begin: (check: string) => void;

  /** `begin` hears of each check that may take a while, before it. */
  constructor(begin: (check: string) => void = () => {}) {
    this.#begin = begin;
  }

  /** Adds verdicts on one thing. Tells whether none of them is a failure. */
  add(check: string, ...verdicts: readonly Verdict[]): boolean {
    for (const verdict of verdicts) this.all.push({ check, ...verdict });
    return !verdicts.some(({ state }) => state === "failed");
  }
  /** Runs a check; what it throws is a failure, but for the signal's own reason. */
  async look(
    check: string,
    signal: AbortSignal,
    work: () => Promise<Verdict | readonly Verdict[]>,
  ): Promise<boolean> {
    this.#begin(check);
    try {
      const verdicts = await work();
      return this.add(check, ...("state" in verdicts ? [verdicts] : verdicts));
    } catch (thrown) {
      signal.throwIfAborted();
      return this.add(check, failedBy(thrown));
    }
  }
}
