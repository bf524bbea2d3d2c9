/** Requests that a client has open at a time for one call. */
const PARALLEL_REQUESTS = 8;

/** Runs `work` for each item, a bounded number at a time; answers in the order of the items. */
export async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let failed = false;
  async function lane(): Promise<void> {
    while (next < items.length && !failed) {
      const at = next++;
      try {
        results[at] = await work(items[at]!);
      } catch (thrown) {
        failed = true;
        throw thrown;
      }
    }
  }
  const lanes = Array.from({ length: Math.min(PARALLEL_REQUESTS, items.length) }, lane);
  const ended = await Promise.allSettled(lanes);
  for (const end of ended) if (end.status === "rejected") throw end.reason;
  return results;
}

/**
 * Runs `work` for each item, at most `limit` at a time; items are only taken when there is room.
 * After a failure no further one is begun, and the first failure is thrown when all are over.
 */
export async function eachInParallel<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failure: { readonly thrown: unknown } | undefined;
  async function lane(): Promise<void> {
    try {
      for (let next = iterator.next(); !next.done && !failure; next = iterator.next()) {
        await work(next.value);
      }
    } catch (thrown) {
      failure ??= { thrown };
    }
  }
  await Promise.all(Array.from({ length: limit }, lane));
  if (failure) throw failure.thrown;
}
