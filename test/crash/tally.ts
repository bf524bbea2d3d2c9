/** Counts of kills and power cuts, of one process or of several. */
import type { Checked } from "./check_store.ts";

/** What some runs did, added up. */
export interface Tally {
  kills: number;
  cuts: number;
  /** Kills by the call that was met. */
  readonly points: Map<string, number>;
  /** Points that should be met. */
  readonly planned: Set<string>;
  acknowledged: number;
  compared: number;
  torn: number;
  gone: number;
  /** Acknowledged changes that relaxed durability allowed a power cut to take. */
  risked: number;
}

/** Begins the line from which {@linkcode readTally} reads. */
const LINE = "tally of ";

/** An empty tally. */
export function emptyTally(): Tally {
  const counts = { kills: 0, cuts: 0, acknowledged: 0, compared: 0, torn: 0, gone: 0, risked: 0 };
  return { ...counts, points: new Map(), planned: new Set() };
}

/** Counts what a check found. */
export function addChecked(tally: Tally, { compared, torn, gone }: Checked): void {
  tally.compared += compared;
  tally.torn += torn;
  tally.gone += gone;
}

/** Prints what was done, for people, and as a line for another process. */
export function printTally(what: string, tally: Tally): void {
  console.info(tallyText(tally));
  const { points, planned, ...counts } = tally;
  console.info(
    `${LINE}${what}: ${JSON.stringify({ ...counts, points: [...points], planned: [...planned] })}`,
  );
}

/** The sum of all tallies of a kind in what processes printed. */
export function readTally(what: string, outputs: readonly string[]): Tally {
  const sum = emptyTally();
  for (const line of outputs.join("\n").split("\n")) {
    if (!line.startsWith(`${LINE}${what}: `)) continue;
    const { points, planned, ...counts } = JSON.parse(line.slice(`${LINE}${what}: `.length));
    for (const name of Object.keys(counts) as (keyof Omit<Tally, "points" | "planned">)[]) {
      sum[name] += counts[name];
    }
    for (const [point, count] of points) {
      sum.points.set(point, (sum.points.get(point) ?? 0) + count);
    }
    for (const point of planned) sum.planned.add(point);
  }
  return sum;
}

/** A tally in words: kills of each point, then all counts. */
export function tallyText(tally: Tally): string {
  const { kills, cuts, points, acknowledged, compared, torn, gone, risked } = tally;
  const rows = [...points].sort().map(([point, count]) => `${String(count).padStart(5)}  ${point}`);
  return [
    ...rows,
    `${kills} kills at ${points.size} points, ${cuts} power cuts, ` +
    `${acknowledged} changes acknowledged; ${compared} comparisons: lost 0, partial 0; ` +
    `${gone} evicted; ${torn} torn bytes cut; ` +
    `${risked} acknowledged within the last moment of relaxed durability`,
  ].join("\n");
}
