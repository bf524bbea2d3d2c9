/** The one error class that crosses module borders. */

/** What went wrong, in the words that every layer and the wire share. */
export type ErrorKind =
  | "invalid_argument"
  | "unauthenticated"
  | "permission_denied"
  | "not_found"
  | "conflict"
  | "precondition_failed"
  | "range_not_satisfiable"
  | "too_large"
  | "quota_exceeded"
  | "corrupt"
  | "rate_limited"
  | "unavailable"
  | "timeout"
  | "cancelled"
  | "unsupported"
  | "internal";

/**
 * Whether trying again can help: `permanent` no, `temporary` yes, `exhausted` a lower layer has
 * tried already, so nobody above tries again.
 */
export type Retry = "permanent" | "temporary" | "exhausted";

/** What a {@linkcode CacheError} carries besides its message. */
export interface CacheErrorOptions {
  /** Default: `temporary` for `rate_limited`, `unavailable` and `timeout`, else `permanent`. */
  readonly retry?: Retry;
  /** What was being done, as `module.verb`. */
  readonly operation?: string;
  /** Facts for the person who reads the log; never a secret. */
  readonly context?: Readonly<Record<string, string | number | boolean>>;
  /** One line that says what to do next; shown below the error on a command line. */
  readonly hint?: string;
  readonly cause?: unknown;
}

const TEMPORARY: ReadonlySet<ErrorKind> = new Set(["rate_limited", "unavailable", "timeout"]);

/**
 * A failure with a kind that decides status codes, retries and exit codes. A miss is never an
 * error: it is `undefined`.
 */
export class CacheError extends Error {
  override readonly name = "CacheError";
  readonly kind: ErrorKind;
  readonly retry: Retry;
  readonly operation: string | undefined;
  readonly context: Readonly<Record<string, string | number | boolean>>;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: CacheErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.retry = options.retry ?? (TEMPORARY.has(kind) ? "temporary" : "permanent");
    this.operation = options.operation;
    this.context = options.context ?? {};
    this.hint = options.hint;
  }
}

/** A {@linkcode CacheError} as plain data, to cross a thread border. */
export interface PlainError {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly retry: Retry;
  readonly operation?: string;
  readonly context: Readonly<Record<string, string | number | boolean>>;
  readonly hint?: string;
}

/** Turns any thrown value into data that `postMessage` can carry. */
export function toPlainError(thrown: unknown): PlainError {
  const error = toCacheError(thrown, "thread");
  return {
    kind: error.kind,
    message: error.message,
    retry: error.retry,
    context: error.context,
    ...(error.operation === undefined ? {} : { operation: error.operation }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

/** The opposite of {@linkcode toPlainError}. */
export function fromPlainError(plain: PlainError): CacheError {
  return new CacheError(plain.kind, plain.message, plain);
}

/**
 * Wraps what is not yet a {@linkcode CacheError}: abort reasons become `cancelled` or `timeout`,
 * operating-system errors by their class or code, the rest `internal`.
 */
export function toCacheError(thrown: unknown, operation: string): CacheError {
  if (thrown instanceof CacheError) return thrown;
  const [kind, text] = classify(thrown);
  return new CacheError(kind, text, { operation, cause: thrown });
}

/** Whether `thrown` is a {@linkcode CacheError} of this kind. */
export function isKind(thrown: unknown, kind: ErrorKind): thrown is CacheError {
  return thrown instanceof CacheError && thrown.kind === kind;
}

function classify(thrown: unknown): [ErrorKind, string] {
  if (!(thrown instanceof Error)) return ["internal", String(thrown)];
  if (thrown.name === "TimeoutError") return ["timeout", thrown.message];
  if (thrown.name === "AbortError") return ["cancelled", thrown.message];
  if (thrown instanceof Deno.errors.Interrupted) return ["cancelled", thrown.message];
  if (thrown instanceof Deno.errors.BadResource) return ["cancelled", thrown.message];
  const code = (thrown as { code?: unknown }).code;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return ["quota_exceeded", "Cannot write: the disk is full"];
    case "EMFILE":
    case "ENFILE":
      return ["unavailable", "Cannot open a file: no descriptors left"];
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return ["permission_denied", thrown.message];
    case "ECONNREFUSED":
    case "ECONNRESET":
    case "EPIPE":
    case "EAI_AGAIN":
    case "ENOTFOUND":
      return ["unavailable", thrown.message];
    case "EIO":
      return ["unavailable", thrown.message];
    default:
      return ["internal", thrown.message];
  }
}
