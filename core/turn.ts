/** Long work that never waits has to let others run: signals, timers, connections. */

/**
 * Resolves after one turn of the event loop; rejects with the signal's reason if it is aborted by
 * then. What is awaited without it, and answers at once, gives way to nothing but other promises.
 */
export async function turn(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  signal?.throwIfAborted();
}

/** Files, rows or the like that one may go through between two turns: a few milliseconds of work. */
export const TURN_AFTER = 64;
