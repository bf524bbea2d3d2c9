/** The errors that all transports share, and how they read as close codes of a WebSocket. */
import type { Bytes } from "../core/digest.ts";
import type { ErrorKind } from "../core/errors.ts";
import { CacheError } from "../core/errors.ts";
import { HANDSHAKE_MS } from "../core/sync_limits.ts";

/** An end in order. */
export const CLOSED_IN_ORDER = 1000;

/** Codes of 4000 and above are free for protocols; behind the 4 stands the status of HTTP that fits. */
const CODES: Readonly<Record<ErrorKind, number>> = {
  invalid_argument: 4400,
  unauthenticated: 4401,
  permission_denied: 4403,
  not_found: 4404,
  conflict: 4409,
  precondition_failed: 4412,
  too_large: 4413,
  range_not_satisfiable: 4416,
  corrupt: 4422,
  rate_limited: 4429,
  cancelled: 4499,
  internal: 4500,
  unsupported: 4501,
  unavailable: 4503,
  timeout: 4504,
  quota_exceeded: 4507,
};

/** Codes of RFC 6455 that runtimes and proxies send by themselves; others are `unavailable`. */
const FOREIGN: ReadonlyMap<number, ErrorKind> = new Map([
  [1002, "invalid_argument"],
  [1003, "unsupported"],
  [1007, "invalid_argument"],
  [1008, "permission_denied"],
  [1009, "too_large"],
  [1011, "internal"],
]);

/** Characters of a reason that are repeated; a WebSocket carries 123 bytes. */
const MAX_REASON = 123;

/** The close code that tells this kind. */
export function closeCode(kind: ErrorKind): number {
  return CODES[kind];
}

/**
 * The failure that a close code stands for, `undefined` for an end in order. Code and reason are not
 * sealed: somebody in between can have made them up, and nothing is decided by them but what is said.
 */
export function closeError(code: number, reason: string): CacheError | undefined {
  if (code === CLOSED_IN_ORDER) return undefined;
  for (const [kind, own] of Object.entries(CODES)) {
    if (own === code) return endedByPeer(kind as ErrorKind, reason);
  }
  const kind = FOREIGN.get(code);
  return kind ? endedByPeer(kind, reason) : connectionLost(`code ${code}`);
}

/** The other side gave up. */
export function endedByPeer(kind: ErrorKind, reason: string): CacheError {
  const text = cleanReason(reason);
  return new CacheError(
    kind,
    `Cannot go on: the other side ended the connection as ${kind}${text && `: "${text}"`}`,
    { operation: "transport.receive" },
  );
}

/** The connection broke, nobody said why. */
export function connectionLost(why: string, cause?: unknown): CacheError {
  return new CacheError("unavailable", `Cannot go on: the connection broke, ${why}`, {
    operation: "transport.receive",
    cause,
  });
}

/** What a send gets after an end in order. */
export function connectionEnded(why: string): CacheError {
  return new CacheError(
    "unavailable",
    `Cannot send: the connection has ended: ${cleanReason(why)}`,
    {
      operation: "transport.send",
    },
  );
}

/** The error of a handshake that takes too long. */
export function handshakeLate(): CacheError {
  return new CacheError("timeout", `Cannot agree on keys: no message within ${HANDSHAKE_MS} ms`, {
    operation: "session.open",
  });
}

/** What others wrote, short and without control characters. */
export function cleanReason(reason: string): string {
  return reason.replace(/[^\x20-\x7e]/g, "?").slice(0, MAX_REASON);
}

/** @throws {CacheError} `too_large`; throws `RangeError` for a frame with nothing in it */
export function checkFrame(frame: Bytes, most: number): void {
  if (frame.length === 0) throw new RangeError("Cannot send a frame: it is empty");
  if (frame.length <= most) return;
  throw new CacheError(
    "too_large",
    `Cannot send a frame of ${frame.length} bytes: want at most ${most}`,
    { operation: "transport.send" },
  );
}
