/** The order of entries in the index. */
import type { EntryKey } from "../core/entry.ts";
import { compareText } from "../core/text_order.ts";

/** Compares by (namespace, scope, protocol, key). */
export function compareKeys(a: EntryKey, b: EntryKey): number {
  return compareText(a.namespace, b.namespace) || compareText(a.scope, b.scope) ||
    compareText(a.protocol, b.protocol) || compareText(a.key, b.key);
}
