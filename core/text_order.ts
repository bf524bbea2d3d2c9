/** The one order of texts: by UTF-8 bytes, which is by code points. */

/**
 * Compares by UTF-8 bytes, as SQLite compares blobs. JavaScript's own `<` compares UTF-16 code
 * units and puts U+1F600 before U+FF5E; what is written down must not.
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

/** Surrogates stand for code points above all others, so they rank above U+E000 to U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
