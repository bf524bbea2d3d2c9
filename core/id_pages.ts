/** Very many ids, read from a table many at a time, as one piece of memory. */
import type { Bytes } from "./digest.ts";

/** Bytes of an id. */
const ID_BYTES = 32;

/** Ids of a page: 2 ms, in which nobody else has the thread. */
const PAGE = 2048;

/** Reads the ids behind `after` in their order, one behind the other; empty at the end. */
export type IdPages = (after: Bytes | undefined, limit: number) => Bytes;

/** Hands out every id of a page, as views of it. */
export function eachIn(ids: Bytes, visit: (id: Bytes) => void): void {
  if (ids.length % ID_BYTES !== 0) {
    throw new TypeError(`Cannot read the ids: they have ${ids.length} bytes`);
  }
  for (let at = 0; at < ids.length; at += ID_BYTES) visit(ids.subarray(at, at + ID_BYTES));
}

/** Hands out every id of a table, with a pause for others after each page. */
export async function eachId(
  pages: IdPages,
  { visit, signal }: { readonly visit: (id: Bytes) => void; readonly signal: AbortSignal },
): Promise<void> {
  let after: Bytes | undefined;
  while (!signal.aborted) {
    const ids = pages(after, PAGE);
    if (ids.length === 0) return;
    let last = 0;
    eachIn(ids, (id) => {
      visit(id);
      // The next page begins behind the last one: in another order, ids would be left out.
      if (last > (last = id[0]!)) throw new TypeError("Cannot read the ids: they have no order");
    });
    after = ids.slice(-ID_BYTES);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
