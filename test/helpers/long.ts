/** Tests that are long by nature: a short form before every commit, the long one with `VITTE_LONG=1`. */

/** Whether the long forms were asked for. */
export const LONG: boolean = Deno.env.get("VITTE_LONG") === "1";

/** Whether one of the harnesses runs us (`deno task test:damage`): forms too long for the whole run. */
export const HARNESS: boolean = Deno.env.get("VITTE_HARNESS") === "1";

/** `long` where the long forms were asked for, `short` elsewhere. */
export function longOr<T>(long: T, short: T): T {
  return LONG ? long : short;
}

/**
 * All `items` in the long form; in the short one the first and the last, and every `nth` between.
 * An `nth` that has no factor in common with the period of what is tried meets all parts of it.
 */
export function everyNth<T>(items: readonly T[], nth: number): T[] {
  if (LONG) return [...items];
  return items.filter((_, at) => at % nth === 0 || at === items.length - 1);
}

/** All `items` in a harness; elsewhere the first and the last, and every `nth` between. */
export function harnessNth<T>(items: readonly T[], nth: number): T[] {
  return HARNESS ? [...items] : items.filter((_, at) => at % nth === 0 || at === items.length - 1);
}

/**
 * All of a table of cases in the long form. In the short one every `of`th, beginning with number
 * `at`: where a table is run once with each of `of` things, each case is still run once.
 */
export function shareOf<T>(
  cases: Readonly<Record<string, T>>,
  at: number,
  of: number,
): Readonly<Record<string, T>> {
  if (LONG) return cases;
  return Object.fromEntries(Object.entries(cases).filter((_, n) => n % of === at));
}
