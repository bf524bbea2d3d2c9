/** The entries of exactly one key, in every scope and of every tool. */
import type { Entry, EntryKey } from "../core/entry.ts";
import { MAX_KEY_BYTES } from "../core/limits.ts";
import type { ScanItem, ScanOptions } from "../core/metadata_index.ts";

/** Behind every key that begins with another, also behind one that somebody made of such characters. */
const LAST = "\u{10ffff}".repeat(MAX_KEY_BYTES / 4);

/** Finds them, complete or not, with one short scan a scope and tool. */
export async function exactEntries(
  cache: { scan(options?: ScanOptions): AsyncIterable<ScanItem> },
  key: string,
  options: Pick<ScanOptions, "namespace" | "scopes" | "protocol" | "signal">,
): Promise<Entry[]> {
  const found: Entry[] = [];
  let after: EntryKey | undefined;
  while (true) {
    const next = await first(
      cache.scan({ ...options, prefix: key, after, incomplete: true, limit: 1 }),
    );
    if (!next) return found;
    const { namespace, scope, protocol } = next;
    // The key itself is the first of all that begin with it.
    if (next.key === key) found.push(next);
    after = { namespace, scope, protocol, key: key + LAST };
  }
}

async function first(items: AsyncIterable<ScanItem>): Promise<Entry | undefined> {
  for await (const item of items) if (item.type === "entry") return item.entry;
  return undefined;
}
