/**
 * What the ratios were, and whether they fell. Two ratios a row: of rates, which swing by a third
 * from run to run where load generator and servers share two cores, and of CPU time a request,
 * which hardly does. A row that looks slower is run again before it is called so, and is called so
 * only where nearly all pairs of runs, ours and a rival's one after the other, say the same.
 */
import type { ContenderId } from "./contender.ts";
import type { Row } from "./row.ts";
import { ratioTo, runsOf } from "./row.ts";

/** The ratios of one row to one rival. */
export interface Budgeted {
  readonly rate: number;
  readonly cpu: number;
}

/** `bench/budget.json`. */
export interface Budget {
  readonly cores: number;
  readonly threads: number;
  readonly deno: string;
  readonly rows: Readonly<Record<string, Readonly<Record<string, Budgeted>>>>;
}

/** What became of one row. */
export interface Verdict {
  readonly fell: boolean;
  readonly lines: readonly string[];
}

const FILE = new URL("./budget.json", import.meta.url);
const RIVALS: readonly ContenderId[] = ["floor", "nginx"];
/** A ratio may fall by this share. */
const TOLERANCE = 0.1;
/** A row that looks slower is run again; all its runs count together. */
const LEAST_SERIES = 2;
const MOST_SERIES = 4;
/** That a row that did not fall is called so. */
const CHANCE = 0.02;

/** Reads the budget. */
export async function readBudget(): Promise<Budget> {
  return JSON.parse(await Deno.readTextFile(FILE));
}

/** Writes the ratios of these rows as what they should not fall below. */
export async function writeBudget(rows: readonly Row[], run: { threads: number }): Promise<void> {
  const budget: Budget = {
    cores: navigator.hardwareConcurrency,
    threads: run.threads,
    deno: Deno.version.deno,
    rows: Object.fromEntries(rows.map((row) => [row.race, ratios(row)])),
  };
  await Deno.writeTextFile(FILE, `${JSON.stringify(budget, undefined, 2)}\n`);
}

/** In what the machine of a budget was another one than this run's. */
export function differences(budget: Budget, run: { threads: number }): string[] {
  const facts: [string, number | string, number | string][] = [
    ["cores", budget.cores, navigator.hardwareConcurrency],
    ["threads", budget.threads, run.threads],
    ["Deno", budget.deno, Deno.version.deno],
  ];
  return facts.filter(([, then, now]) => then !== now)
    .map(([name, then, now]) => `with ${name} ${then}, this run has ${now}`);
}

/**
 * Whether a row fell below its budget. `again` runs it once more where that is in doubt; without it
 * a row that looks slower is only told.
 */
export async function checkBudget(
  row: Row,
  budget: Budget,
  again: (() => Promise<Row>) | undefined,
): Promise<Verdict> {
  const wanted = budget.rows[row.race];
  if (!wanted) return { fell: false, lines: [`${row.race}: new, not in the budget`] };
  let all = row;
  let series = 1;
  for (;; series++) {
    const suspects = suspectsOf(all, wanted);
    if (suspects.length === 0) return { fell: false, lines: [`${row.race}: as before`] };
    const sure = suspects.filter((suspect) => suspect.sure);
    if (series >= LEAST_SERIES && sure.length > 0) {
      return { fell: true, lines: sure.map(({ text }) => `${row.race}: SLOWER: ${text}`) };
    }
    if (!again || series >= MOST_SERIES) {
      return {
        fell: false,
        lines: suspects.map(({ text }) => `${row.race}: perhaps slower: ${text}`),
      };
    }
    all = joined(all, await again());
  }
}

function ratios(row: Row): Record<string, Budgeted> {
  return Object.fromEntries(RIVALS.flatMap((rival) => {
    const rate = ratioTo(row, rival, "rate");
    const cpu = ratioTo(row, rival, "cpu");
    if (!rate || !cpu) return [];
    return [[rival, { rate: round(rate.median), cpu: round(cpu.median) }]];
  }));
}

/** A kind of ratio that looks lower than it may be, to every rival. */
interface Suspect {
  readonly text: string;
  /** Whether chance would hardly do that. */
  readonly sure: boolean;
}

function suspectsOf(row: Row, wanted: Readonly<Record<string, Budgeted>>): Suspect[] {
  return (["rate", "cpu"] as const).flatMap((what) => {
    const found = Object.entries(wanted).flatMap(([rival, budgeted]) => {
      const ratio = ratioTo(row, rival as ContenderId, what);
      return ratio ? [{ rival, ratio, was: budgeted[what] }] : [];
    });
    const low = found.map(({ ratio, was }) => ratio.median < was * (1 - TOLERANCE));
    // To every rival: one that had a good day is no fall of ours.
    if (found.length === 0 || low.includes(false)) return [];
    const sure = found.every(({ ratio, was }) => isSure(ratio.each, was * (1 - TOLERANCE)));
    const texts = found.map(({ rival, ratio, was }) => {
      const now = round(ratio.median);
      return `${now} x ${rival}, was ${was} (${Math.round((1 - now / was) * 100)} % less)`;
    });
    return [{ text: `${what} ${texts.join("; ")}; ${row.servers[0]!.runs.length} runs`, sure }];
  });
}

/**
 * Whether so many of the pairs are below the limit that a median at the limit would hardly give as
 * many: the sign test. Of 10 it takes 9, of 15 it takes 12, of 20 it takes 16.
 */
function isSure(each: readonly number[], limit: number): boolean {
  const below = each.filter((ratio) => ratio < limit).length;
  let chance = 0;
  let ways = 1;
  // Of all 2^n outcomes, those with as many below or more, from the one with all of them on.
  for (let above = 0; above <= each.length - below; above++) {
    chance += ways / 2 ** each.length;
    ways = ways * (each.length - above) / (above + 1);
  }
  return chance <= CHANCE;
}

function joined(row: Row, more: Row): Row {
  const servers = row.servers.map((server) => ({
    ...server,
    runs: [...server.runs, ...runsOf(more, server.id)!],
  }));
  return { ...row, servers };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
