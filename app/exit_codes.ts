/** Exit codes by class of outcome. */
import type { CacheError } from "../core/errors.ts";

/**
 * The codes a command may return. The last three are those of `env` and `timeout`, for commands that
 * run another program: what goes wrong before it runs must not look like an answer of its own.
 */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  interrupted: 130,
  wrapper: 125,
  cannotRun: 126,
  noProgram: 127,
} as const;

/** How a program that was run ended: its own code, or 128 and the number of the signal. */
export type ProgramStatus = number & { readonly __program: true };

/** One of {@linkcode EXIT}, or what a program that was run said. */
export type ExitCode = typeof EXIT[keyof typeof EXIT] | ProgramStatus;

/** The status of a program as a code. Throws `RangeError` for what no program can end with. */
export function programStatus(code: number): ProgramStatus {
  if (Number.isInteger(code) && code >= 0 && code <= 255) return code as ProgramStatus;
  throw new RangeError(`Cannot end with ${code}: want 0 to 255`);
}

/** Thrown by a command whose words are off: exit 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** The code for a failure. */
export function exitCodeOf(error: CacheError): ExitCode {
  if (error.kind === "not_found") return EXIT.notFound;
  if (error.kind === "cancelled") return EXIT.interrupted;
  return EXIT.failed;
}
