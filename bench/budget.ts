/**
 * What the ratios were, and whether they fell. Two ratios a row: of rates, which swing by a third
 * from run to run where load generator and servers share two cores, and of CPU time a request,
 * which hardly does. A row that looks slower is run again before it is called so.
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
/** How often a row that looks slower is run again; all its runs count together. */
const MORE_RUNS = 3;

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

/** Whether a row fell below its budget; `again` runs it once more where that is in doubt. */
export async function checkBudget(
  row: Row,
  budget: Budget,
  again: () => Promise<Row>,
): Promise<Verdict> {
  const wanted = budget.rows[row.race];
  if (!wanted) return { fell: false, lines: [`${row.race}: new, not in the budget`] };
  let all = row;
  let fallen = fallenBelow(all, wanted);
  for (let more = 0; more < MORE_RUNS && fallen.length > 0; more++) {
    all = joined(all, await again());
    fallen = fallenBelow(all, wanted);
  }
  if (fallen.length === 0) return { fell: false, lines: [`${row.race}: as before`] };
  return { fell: true, lines: fallen.map((text) => `${row.race}: SLOWER: ${text}`) };
}

function ratios(row: Row): Record<string, Budgeted> {
  return Object.fromEntries(RIVALS.flatMap((rival) => {
    const rate = ratioTo(row, rival, "rate");
    const cpu = ratioTo(row, rival, "cpu");
    if (!rate || !cpu) return [];
    return [[rival, { rate: round(rate.median), cpu: round(cpu.median) }]];
  }));
}

function fallenBelow(row: Row, wanted: Readonly<Record<string, Budgeted>>): string[] {
  const found = ratios(row);
  const fallen = (what: "rate" | "cpu") =>
    Object.entries(wanted).flatMap(([rival, budgeted]) => {
      const now = found[rival]?.[what];
      if (now === undefined || now >= budgeted[what] * (1 - TOLERANCE)) return [];
      const share = Math.round((1 - now / budgeted[what]) * 100);
      return [`${what} ${now} x ${rival}, was ${budgeted[what]} (${share} % less)`];
    });
  // Against every rival: one that had a good day is no fall of ours.
  const rivals = Object.keys(wanted).filter((rival) => found[rival]).length;
  return [...fallen("rate"), ...fallen("cpu")].length === 0
    ? []
    : [fallen("rate"), fallen("cpu")].filter((texts) => texts.length === rivals).flat();
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
