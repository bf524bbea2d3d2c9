/** One race's runs, and what they come to. */
import type { Contender, ContenderId } from "./contender.ts";
import type { Measured } from "./measured.ts";
import { median } from "./measured.ts";
import type { Race, Target } from "./races.ts";

/** One server's runs of a race. */
export interface Runs {
  readonly id: ContenderId;
  readonly name: string;
  readonly runs: readonly Measured[];
}

/** One row of the table. */
export interface Row {
  readonly race: string;
  readonly unit: string;
  readonly targets: readonly Target[];
  readonly servers: readonly Runs[];
}

/** A ratio of ours to a rival's, run by run. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  /** Of each pair of runs. */
  readonly each: readonly number[];
}

/** Runs a race on all servers in turn, `rounds` times after a first one where it warms up. */
export async function runRace(
  race: Race,
  servers: readonly Contender[],
  rounds: number,
): Promise<Row> {
  for (const server of servers) await race.prepare(server);
  // The first run of a row is the one in which the runtime compiles what the row needs.
  if (race.warms) { for (const server of servers) await race.run(server); }
  const measured = new Map<Contender, Measured[]>(servers.map((server) => [server, []]));
  for (let round = 0; round < rounds; round++) {
    // Every other round the other way round, so that nobody always runs on a warm machine.
    const order = round % 2 === 0 ? servers : [...servers].reverse();
    for (const server of order) measured.get(server)!.push(await race.run(server));
  }
  const { name, unit, targets } = race;
  const runs = servers.map((server) => ({
    id: server.id,
    name: server.name,
    runs: measured.get(server)!,
  }));
  return { race: name, unit, targets, servers: runs };
}

/** The runs of one server; `undefined` if it did not take part. */
export function runsOf(row: Row, id: ContenderId): readonly Measured[] | undefined {
  return row.servers.find((server) => server.id === id)?.runs;
}

/** Our rate over a rival's, or with `cpu` the rival's CPU time over ours: above 1 we win. */
export function ratioTo(
  row: Row,
  rival: ContenderId,
  what: "rate" | "cpu" = "rate",
): Ratio | undefined {
  const ours = runsOf(row, "ours");
  const theirs = runsOf(row, rival);
  if (!ours || !theirs) return undefined;
  const each = ours.map((one, n) =>
    what === "rate" ? one.rate / theirs[n]!.rate : theirs[n]!.cpu / one.cpu
  );
  return { median: median(each), lowest: Math.min(...each), highest: Math.max(...each), each };
}
