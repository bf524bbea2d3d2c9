/**
 * The only file that reads `request.signal`. Asking for it makes the runtime watch the connection,
 * so small reads never do; it must not be handed to work that outlives the answer.
 */

/** A signal that aborts when the client goes away before it has its answer. */
export function clientSignal(request: Request): AbortSignal {
  return request.signal;
}
