/**
 * The race: this server, token check on, beside nginx and the floor, in one run, alternating,
 * medians. `deno task bench [--rounds 5] [--seconds 2] [--threads 1]`; writes docs/benchmarks.md.
 */
import { parseArgs } from "node:util";
import type { Contender } from "./contender.ts";
import { startFloor, startNginx, startOurs } from "./contender.ts";
import type { Measured } from "./load.ts";
import type { Race } from "./races.ts";
import { buildRaces } from "./races.ts";
import { report } from "./report.ts";
import type { Row } from "./report.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    threads: { type: "string", default: "1" },
    only: { type: "string", default: "" },
  },
});
const rounds = Number(values.rounds);
const dir = await Deno.makeTempDir({ prefix: "vitte-bench-" });
try {
  await using stack = new AsyncDisposableStack();
  const servers: Contender[] = [];
  for (
    const start of [
      () => startOurs(dir, Number(values.threads)),
      () => startFloor(freePort()),
      () => startNginx(dir, freePort()),
    ]
  ) {
    const server = await start();
    if (server) servers.push(stack.use(server));
    else console.error("nginx is not installed: its columns are left out");
  }
  const all = await buildRaces(dir, Number(values.seconds));
  const races = all.filter((race) => race.name.includes(values.only));
  const rows: Row[] = [];
  for (const race of races) rows.push(await runRace(race, servers));
  const page = report(rows, servers, { rounds, seconds: Number(values.seconds) });
  console.log(page);
  if (values.only === "") {
    await Deno.writeTextFile(new URL("../docs/benchmarks.md", import.meta.url), page);
  }
} finally {
  await Deno.remove(dir, { recursive: true });
}

async function runRace(race: Race, servers: readonly Contender[]): Promise<Row> {
  for (const server of servers) await race.prepare(server);
  const measured = new Map<string, Measured[]>(servers.map((server) => [server.name, []]));
  for (let round = 0; round < rounds; round++) {
    // Every other round the other way round, so that nobody always runs on a warm machine.
    const order = round % 2 === 0 ? servers : [...servers].reverse();
    for (const server of order) measured.get(server.name)!.push(await race.run(server));
  }
  const row = { race: race.name, unit: race.unit, measured };
  console.error(`${race.name}: done`);
  return row;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
