/** The one order of texts in the index: by UTF-8 bytes, which is by code points. */
import type { EntryKey } from "../core/entry.ts";

/**
 * Compares by UTF-8 bytes, as SQLite compares blobs. JavaScript's own `<` compares UTF-16 code
 * units and puts U+1F600 before U+FF5E; the index must not, or memory and SQLite would differ.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Compares by (namespace, scope, protocol, key). */
export function compareKeys(a: EntryKey, b: EntryKey): number {
  return compareText(a.namespace, b.namespace) || compareText(a.scope, b.scope) ||
    compareText(a.protocol, b.protocol) || compareText(a.key, b.key);
}

/** Surrogates stand for code points above all others, so they rank above U+E000 to U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
