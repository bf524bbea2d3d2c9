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
