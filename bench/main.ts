/**
 * The race: this server, token check on, beside the floor and nginx (and bazel-remote where
 * `BAZEL_REMOTE` names a binary), in one run, alternating, medians. Writes docs/benchmarks.md with
 * its plots and bench/budget.json; `--check` writes nothing and fails when a ratio fell.
 */
import { parseArgs } from "node:util";
import { installPrograms } from "../tools/install.ts";
import { makeBodies } from "./bodies.ts";
import { checkBudget, differences, readBudget, writeBudget } from "./budget.ts";
import type { Contender } from "./contender.ts";
import { startBazelRemote, startFloor, startNginx, startOurs } from "./contender.ts";
import { freePort } from "./free_port.ts";
import type { Figure } from "./figure.ts";
import { measureFigures } from "./figures.ts";
import { writePlots } from "./plots.ts";
import { buildRaces } from "./races.ts";
import { report } from "./report.ts";
import type { Row } from "./row.ts";
import { runRace } from "./row.ts";

const USAGE = `deno task bench [options]
  --rounds N    runs of each row and server            (default 5)
  --seconds S   seconds of one run of small requests   (default 1)
  --threads N   serving threads of ours and the floor  (default: cores)
  --only TEXT   only rows whose name has TEXT; writes nothing
  --check       compare with bench/budget.json; exit 1 when a ratio fell by more than 10 %
  --plant N     slow our server down by N % of its CPU time, to see --check go red; writes nothing
  --no-figures  leave out what has no rival: start, memory, batches, exec, threads`;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "1" },
    threads: { type: "string", default: String(navigator.hardwareConcurrency) },
    only: { type: "string", default: "" },
    check: { type: "boolean", default: false },
    plant: { type: "string", default: "0" },
    "no-figures": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
const began = performance.now();
const run = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  threads: Number(values.threads),
  plant: Number(values.plant),
};
for (const problem of await installPrograms(["ab", "curl", "nginx", "wrk"])) console.error(problem);
const dir = await Deno.makeTempDir({ prefix: "vitte-bench-" });
// What is uploaded lies in memory where it can, so that reading it costs no server its disk.
const memory = await Deno.stat("/dev/shm").then(() => "/dev/shm", () => undefined);
const bodyDir = await Deno.makeTempDir({ prefix: "vitte-bench-", ...(memory && { dir: memory }) });
let failed = false;
try {
  const { rows, peaks } = await raceAll();
  const figures: Figure[] = values["no-figures"] || values.check
    ? []
    : await measureFigures(dir, run, values.only);
  const minutes = (performance.now() - began) / 60_000;
  const page = report(rows, figures, { ...run, minutes, peaks });
  console.log(page);
  const whole = values.only === "" && figures.length > 0 && run.plant === 0;
  if (whole && !values.check) {
    await Deno.writeTextFile(new URL("../docs/benchmarks.md", import.meta.url), page);
    await writePlots(rows);
    await writeBudget(rows, run);
  }
} finally {
  await Deno.remove(dir, { recursive: true });
  await Deno.remove(bodyDir, { recursive: true });
}
Deno.exit(failed ? 1 : 0);

/** Runs the rows on servers of their own, which are gone afterwards. */
async function raceAll(): Promise<{ rows: Row[]; peaks: [string, number][] }> {
  await using stack = new AsyncDisposableStack();
  const servers: Contender[] = [];
  const bazelRemote = Deno.env.get("BAZEL_REMOTE");
  const starts = [
    () => startOurs({ folder: `${dir}/ours`, threads: run.threads, plant: run.plant }),
    () => startFloor(freePort(), run.threads),
    () => startNginx(dir, freePort()),
    ...(bazelRemote ? [() => startBazelRemote(dir, freePort(), bazelRemote)] : []),
  ];
  for (const start of starts) {
    const server = await start();
    if (server) servers.push(stack.use(server));
    else console.error("nginx is not there: its columns are left out");
  }
  const races = buildRaces(await makeBodies(bodyDir), run.seconds);
  const chosen = races.filter((race) => race.name.includes(values.only));
  const budget = values.check ? await readBudget() : undefined;
  if (budget) {
    for (const text of differences(budget, run)) console.error(`note: the budget was made ${text}`);
  }
  const rows: Row[] = [];
  for (const race of chosen) {
    const row = await runRace(race, servers, run.rounds);
    rows.push(row);
    const seconds = Math.round((performance.now() - began) / 1000);
    if (!budget) {
      console.error(`${race.name}: done, ${seconds} s since the start`);
      continue;
    }
    // One row that fell is enough: those behind it are only told.
    const again = failed ? undefined : () => runRace(race, servers, run.rounds);
    const verdict = await checkBudget(row, budget, again);
    for (const line of verdict.lines) console.error(`${line} (${seconds} s since the start)`);
    failed ||= verdict.fell;
  }
  return { rows, peaks: servers.map((server) => [server.name, server.peakMb()]) };
}
