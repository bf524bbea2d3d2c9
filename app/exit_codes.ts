/** Exit codes by class of outcome. */
import type { CacheError } from "../core/errors.ts";

/** The codes a command may return. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notFound: 3, interrupted: 130 } as const;
/** One of {@linkcode EXIT}. */
export type ExitCode = typeof EXIT[keyof typeof EXIT];

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
