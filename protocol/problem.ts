/** Errors on the wire: problem details of RFC 9457, made from a CacheError and read back. */
import * as v from "valibot";
import type { ErrorKind } from "../core/errors.ts";
import { CacheError } from "../core/errors.ts";

/** The body of every error answer. */
export interface Problem {
  /** `urn:vitte-remote-cache:problem:<kind>`. */
  readonly type: string;
  /** The same for every problem of this type. */
  readonly title: string;
  readonly status: number;
  /** What happened this time. */
  readonly detail: string;
  readonly kind: ErrorKind;
  /** What to do next. */
  readonly hint?: string;
  /** Of a 401: what is wrong with the token. */
  readonly reason?: string;
  /** As in the header and in the server's log. */
  readonly request_id: string;
}

const KINDS: Readonly<Record<ErrorKind, readonly [status: number, title: string]>> = {
  invalid_argument: [400, "The request is not valid"],
  unauthenticated: [401, "A valid token is needed"],
  permission_denied: [403, "The token does not allow this"],
  not_found: [404, "Not found"],
  conflict: [409, "It is there already"],
  precondition_failed: [412, "A condition does not hold"],
  range_not_satisfiable: [416, "The range is past the end"],
  too_large: [413, "Too large"],
  quota_exceeded: [507, "No room left"],
  // A damaged blob is set aside and then is like any other that is not here.
  corrupt: [404, "Not found"],
  rate_limited: [429, "Too many requests"],
  unavailable: [503, "Not available at the moment"],
  timeout: [504, "It took too long"],
  cancelled: [499, "The client gave up"],
  unsupported: [501, "Not supported"],
  internal: [500, "Internal error"],
};

const URN = "urn:vitte-remote-cache:problem:";
const RETRY_AFTER_SECONDS = 1;
/** A disk or a quota is seldom less full a second later. */
const ROOM_AFTER_SECONDS = 60;

/** Every kind that there is. */
export const ERROR_KINDS = Object.keys(KINDS) as readonly ErrorKind[];

/** What an answer says of a failure: a CacheError, or the same facts where nothing was thrown. */
export type Failure = Pick<CacheError, "kind" | "message" | "retry" | "context" | "hint">;

/** The status of an error: `context.status` if it names one (such as 415), else its kind's. */
export function statusOf(error: Failure): number {
  const own = error.context.status;
  return typeof own === "number" && own >= 400 && own <= 599 ? own : KINDS[error.kind][0];
}

/** Seconds for `Retry-After`; `undefined` where trying again can not help. */
export function retryAfter(error: Failure): number | undefined {
  if (error.kind === "quota_exceeded") return ROOM_AFTER_SECONDS;
  return error.retry === "temporary" ? RETRY_AFTER_SECONDS : undefined;
}

/** The body for an error. What is internal stays inside: the log has it under the request id. */
export function problemOf(error: Failure, requestId: string): Problem {
  const [, title] = KINDS[error.kind];
  const { reason } = error.context;
  return {
    type: URN + error.kind,
    title,
    status: statusOf(error),
    detail: error.kind === "internal" ? "Cannot answer: internal error" : error.message,
    kind: error.kind,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(typeof reason === "string" ? { reason } : {}),
    request_id: requestId,
  };
}

/** What stands in front of the detail of a miss. */
const MISS_HEAD = JSON.stringify({
  type: URN + "not_found",
  title: KINDS.not_found[1],
  status: KINDS.not_found[0],
}).slice(0, -1);

/** {@linkcode problemOf} of a look-up that found nothing, as JSON: most answers with a problem. */
export function missText(detail: string, requestId: string): string {
  return `${MISS_HEAD},"detail":${JSON.stringify(detail)},"kind":"not_found",` +
    `"request_id":${JSON.stringify(requestId)}}`;
}

const ProblemSchema = v.object({
  detail: v.string(),
  kind: v.picklist(ERROR_KINDS),
  hint: v.optional(v.string()),
  reason: v.optional(v.string()),
  request_id: v.optional(v.string()),
});

/** What the client knows of an answer that is no success. */
export interface ErrorAnswer {
  readonly status: number;
  /** The parsed JSON body; anything else if there was none, as from a proxy in between. */
  readonly body: unknown;
  /** What the client was doing, as `module.verb`. */
  readonly operation?: string;
}

/** The error that an answer stands for; with no problem in the body, as its status says. */
export function problemError({ status, body, operation }: ErrorAnswer): CacheError {
  const parsed = v.safeParse(ProblemSchema, body);
  const problem = parsed.success ? parsed.output : undefined;
  const kind = problem?.kind ?? kindOfStatus(status);
  const id = problem?.request_id;
  const reason = problem?.reason;
  return new CacheError(kind, problem?.detail ?? `Cannot use the answer: status ${status}`, {
    context: {
      status,
      ...(id === undefined ? {} : { request_id: id }),
      ...(reason === undefined ? {} : { reason }),
    },
    ...(problem?.hint === undefined ? {} : { hint: problem.hint }),
    ...(operation === undefined ? {} : { operation }),
  });
}

function kindOfStatus(status: number): ErrorKind {
  for (const kind of ERROR_KINDS) if (KINDS[kind][0] === status) return kind;
  if (status === 408) return "timeout";
  if (status === 502) return "unavailable";
  if (status === 405 || status === 415) return "unsupported";
  if (status === 421) return "permission_denied";
  return status >= 500 ? "internal" : "invalid_argument";
}
