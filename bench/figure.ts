/** What is measured without a rival beside it. */

/** One figure, with what it should be. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly better?: "lower" | "higher";
  readonly least?: number;
  readonly aim?: number;
  /** How it was measured. */
  readonly note: string;
}

/** Whether a figure is at least what it should be; `undefined` without a target. */
export function isMet(figure: Figure): boolean | undefined {
  const { value, least, better } = figure;
  if (least === undefined) return undefined;
  return better === "higher" ? value >= least : value <= least;
}
