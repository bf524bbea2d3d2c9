/** The only place that adds abort listeners: a listener on an aborted signal never fires. */

/** Throws the signal's reason if it is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  signal?.throwIfAborted();
}

/**
 * Calls `listener` once when the signal aborts, at once if it is aborted already.
 * The returned disposable takes the listener away.
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): Disposable {
  if (!signal) return { [Symbol.dispose]() {} };
  if (signal.aborted) {
    listener();
    return { [Symbol.dispose]() {} };
  }
  signal.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}

/**
 * Waits for `promise`, or rejects with the signal's reason. The work itself goes on: the caller
 * of this has handed the signal to it, or does not mind.
 */
export async function abortable<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return await promise;
  if (signal.aborted) {
    // Nobody waits for the work any more; without this its failure would end the process.
    promise.catch(() => {});
    throw signal.reason;
  }
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  using _listener = onAbort(signal, () => reject(signal.reason));
  return await Promise.race([promise, aborted]);
}

/** A signal that aborts when any of these does; `undefined` if there is none. */
export function anySignal(...signals: (AbortSignal | undefined)[]): AbortSignal | undefined {
  const present = signals.filter((signal) => signal !== undefined);
  return present.length <= 1 ? present[0] : AbortSignal.any(present);
}
