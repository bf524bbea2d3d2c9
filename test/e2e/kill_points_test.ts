/**
 * The engine killed at every call that changes its folder, and its power cut at any moment: what
 * was acknowledged is there, nothing partial is served, nothing torn is left on the disk.
 */
import assert from "node:assert/strict";
import { CrashedStore } from "../crash/crash_runs.ts";
import { KillPlan } from "../crash/kill_plan.ts";
import { buildRecorder } from "../crash/record.ts";
import { scheduled } from "../crash/schedule.ts";
import type { LifeKind, ScheduledStore } from "../crash/schedule.ts";
import { emptyTally, printTally } from "../crash/tally.ts";
import type { Tally } from "../crash/tally.ts";
import { randomOf, seededRandom } from "../helpers/random.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { quickTempDir } from "../helpers/temp.ts";

/** How many workers are killed; `deno task test:crash` asks for more. */
const KILLS = Number(Deno.env.get("VITTE_CRASH_KILLS") ?? 60);
/** How many whole servers are killed; `deno task test:crash` asks for more. */
const SERVERS = Number(Deno.env.get("VITTE_CRASH_SERVERS") ?? 6);
/** Processes can share a long run: `1/4` is the second of four, and takes every fourth store. */
const [PART, PARTS] = (Deno.env.get("VITTE_CRASH_PART") ?? "0/1").split("/").map(Number) as [
  number,
  number,
];
/** Stores that are worked on at the same time; one where several processes share the work. */
const LANES = PARTS === 1 ? 2 : 1;
/** Power cuts for each kill. */
const CUTS = 2;

const MIB = 1024 * 1024;
/**
 * Bytes of stores that never fill up, and of stores that are full in their third life. A server
 * takes 16 MiB at least.
 */
const SIZES = { keeps: 48 * MIB, evicts: 6 * MIB, serverKeeps: 64 * MIB, serverEvicts: 16 * MIB };

/** Bytes that must be free: a store keeps 1 GiB free. */
const ROOM = 4 * 1024 ** 3;

/** What all stores of a run share. */
interface Run {
  /** Where folders may be made. */
  readonly folder: string;
  readonly library: string;
  readonly seed: number;
  /** Whether whole servers are killed, not workers with an engine. */
  readonly serves: boolean;
  /** Kills in all. */
  readonly most: number;
  readonly tally: Tally;
}

type Plans = Readonly<Record<LifeKind, KillPlan>>;

skippable(
  `engine: killed at ${KILLS} points and its power cut ${CUTS * KILLS} times`,
  { need: () => needProgram("gcc"), ignore: KILLS === 0 },
  () => killAll(false, KILLS),
);

skippable(
  `serve: killed at ${SERVERS} points under HTTP writers, and its power cut`,
  { need: () => needProgram("gcc"), ignore: SERVERS === 0 },
  () => killAll(true, SERVERS),
);

async function killAll(serves: boolean, most: number): Promise<void> {
  const { seed } = seededRandom("VITTE_CRASH_SEED");
  await using temp = await quickTempDir(ROOM);
  const folder = temp.path;
  const library = await buildRecorder(folder);
  const run: Run = { folder, library, seed, serves, most, tally: emptyTally() };
  const plans = await learn(run);
  for (const { points } of Object.values(plans)) for (const p of points) run.tally.planned.add(p);
  const stores = scheduled(PART, PARTS);
  const lane = async () => {
    while (run.tally.kills < most) await liveAndDie(run, plans, stores.next().value);
  };
  // All are over before anything is thrown, or the folder would go under the others.
  const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
  printTally(serves ? "serve" : "engine", run.tally);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  assert.ok(run.tally.acknowledged > most, `only ${run.tally.acknowledged} were acknowledged`);
}

/** What kinds of calls there are in a life: of an empty folder, of a full store, of a rebuild. */
async function learn({ folder, library, seed, serves }: Run): Promise<Plans> {
  const maxSize = serves ? SIZES.serverEvicts : SIZES.evicts;
  const options = { library, maxSize, evicts: true, seed, name: "learn" };
  const store = new CrashedStore(await made(`${folder}/learn`), options);
  const rest = { cuts: 0, thorough: false, tally: emptyTally(), serves };
  const first = await store.round(undefined, rest);
  let later = first;
  for (let life = 0; life < 4; life++) later = await store.round(undefined, rest);
  await store.spoil(["packs.sqlite", "index.sqlite"]);
  const rebuild = await store.round(undefined, rest);
  await Deno.remove(`${folder}/learn`, { recursive: true });
  // Up to where the first thing is said: that it is open, or listens.
  const opened = rebuild.slice(0, rebuild.findIndex(({ name }) => name === "say") + 1);
  const plan = (kind: LifeKind, calls: typeof first) =>
    new KillPlan(calls, randomOf(seed, `plan ${kind}`), { sure: kind === "first" });
  return {
    first: plan("first", first),
    later: plan("later", later),
    rebuild: plan("rebuild", opened),
  };
}

/** One store from its making to its last life; each life but a few ends with a kill. */
async function liveAndDie(run: Run, plans: Plans, scheduled: ScheduledStore): Promise<void> {
  const { library, seed, serves, most, tally } = run;
  const { number, evicts, durability } = scheduled;
  const sizes = serves ? [SIZES.serverKeeps, SIZES.serverEvicts] : [SIZES.keeps, SIZES.evicts];
  const name = `store ${number}`;
  const folder = await made(`${run.folder}/${number}`);
  const options = { library, maxSize: sizes[number % 2]!, evicts, seed, name };
  const store = new CrashedStore(folder, serves ? options : { ...options, durability });
  const random = randomOf(seed, `${name} kills`);
  const lives: string[] = [];
  try {
    for (const { kind, turn, spoils, thorough, goOn } of scheduled.lives) {
      if (tally.kills >= most) break;
      if (spoils.length > 0) await store.spoil(spoils);
      const kill = turn === undefined ? undefined : plans[kind].at(turn, random);
      lives.push(kill ? `${kill.call} ${kill.path} ${kill.nth} ${kill.how}` : "not killed");
      await store.round(kill, { cuts: CUTS, thorough, tally, goOn, serves });
    }
  } catch (error) {
    const { stack } = error as Error;
    const how = serves ? "served" : durability;
    throw new Error(`${name}, ${how}, lives: ${lives.join("; ")}\n${stack}`, { cause: error });
  }
  await Deno.remove(folder, { recursive: true });
}

async function made(folder: string): Promise<string> {
  await Deno.mkdir(folder);
  return folder;
}
