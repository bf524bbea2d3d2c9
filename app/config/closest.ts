/** "Did you mean": the known word that a wrong one is nearest to. */

/** Characters beyond which a word is not compared: nobody mistypes that much. */
const LONGEST = 64;

/** The nearest of `known`, if a typing mistake can explain the difference. */
export function closest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST) return undefined;
  const folded = fold(word);
  const ranked = known
    .map((one) => ({ one, away: distance(folded, fold(one)) }))
    .filter(({ one, away }) => away <= Math.max(1, Math.floor(one.length * 0.4)))
    .sort((a, b) => a.away - b.away);
  return ranked[0]?.one;
}

/** `maxSize`, `max_size` and `max-size` are the same word. */
function fold(word: string): string {
  return word.replace(/([a-z])([A-Z])/g, "$1-$2").toLowerCase().replaceAll("_", "-");
}

/** Letters to put in, take out, change, or swap with their neighbour. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      }
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
