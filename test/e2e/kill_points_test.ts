/**
 * The engine killed at every call that changes its folder, and its power cut at any moment: what
 * was acknowledged is there, nothing partial is served, nothing torn is left on the disk.
 */
import assert from "node:assert/strict";
import { CrashedStore, emptyTally } from "../crash/crash_runs.ts";
import type { Tally } from "../crash/crash_runs.ts";
import { KillPlan } from "../crash/kill_plan.ts";
import { buildRecorder } from "../crash/record.ts";
import { seededRandom } from "../helpers/random.ts";
import type { SeededRandom } from "../helpers/random.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { quickTempDir } from "../helpers/temp.ts";

/** How many workers are killed; `deno task test:crash` asks for 900. */
const KILLS = Number(Deno.env.get("VITTE_CRASH_KILLS") ?? 60);
/** How many whole servers are killed; `deno task test:crash` asks for 100. */
const SERVERS = Number(Deno.env.get("VITTE_CRASH_SERVERS") ?? 6);
/** Lives of one store. */
const LIVES = 12;
/** Stores that are worked on at the same time. */
const LANES = 2;
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

type Life = "first" | "later" | "rebuild";

skippable(
  `engine: killed at ${KILLS} points and its power cut ${CUTS * KILLS} times`,
  { need: () => needProgram("gcc") },
  async () => {
    const random = seededRandom("VITTE_CRASH_SEED");
    await using folder = await quickTempDir(ROOM);
    const library = await buildRecorder(folder.path);
    const plans = await learn(folder.path, library, random);
    const tally = emptyTally();
    let stores = 0;
    const lane = async () => {
      while (tally.kills < KILLS) {
        const number = stores++;
        const options = { library, random, plans, tally, number, serves: false, most: KILLS };
        await liveAndDie(`${folder.path}/${number}`, options);
      }
    };
    // All are over before anything is thrown, or the folder would go under the others.
    const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
    print(tally);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    const points = new Set(Object.values(plans).flatMap((plan) => plan.points));
    const missed = [...points].filter((point) => !tally.points.has(point));
    if (KILLS >= 900) assert.deepEqual(missed, [], "each point was met");
    assert.ok(tally.acknowledged > KILLS, `only ${tally.acknowledged} were acknowledged`);
  },
);

skippable(
  `serve: killed at ${SERVERS} points under HTTP writers, and its power cut`,
  { need: () => needProgram("gcc") },
  async () => {
    const random = seededRandom("VITTE_CRASH_SEED");
    await using folder = await quickTempDir(ROOM);
    const library = await buildRecorder(folder.path);
    const plans = await learn(folder.path, library, random, true);
    const tally = emptyTally();
    let stores = 0;
    const lane = async () => {
      while (tally.kills < SERVERS) {
        const number = stores++;
        const options = { library, random, plans, tally, number, serves: true, most: SERVERS };
        await liveAndDie(`${folder.path}/${number}`, options);
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
    print(tally);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    assert.ok(tally.acknowledged > SERVERS, `only ${tally.acknowledged} were acknowledged`);
  },
);

/** What kinds of calls there are in a life: of an empty folder, of a full store, of a rebuild. */
async function learn(
  folder: string,
  library: string,
  random: SeededRandom,
  serves = false,
): Promise<Record<Life, KillPlan>> {
  const maxSize = serves ? SIZES.serverEvicts : SIZES.evicts;
  const options = { library, maxSize, evicts: true, random };
  const store = new CrashedStore(await made(`${folder}/learn`), options);
  const rest = { cuts: 0, thorough: false, tally: emptyTally(), serves };
  const first = await store.round(undefined, rest);
  let later = first;
  for (let life = 0; life < 4; life++) later = await store.round(undefined, rest);
  await store.spoil(["packs.sqlite", "index.sqlite"]);
  const rebuild = await store.round(undefined, rest);
  await Deno.remove(`${folder}/learn`, { recursive: true });
  return {
    first: new KillPlan(first, random),
    later: new KillPlan(later, random),
    // Up to where the first thing is said: that it is open, or listens.
    rebuild: new KillPlan(
      rebuild.slice(0, rebuild.findIndex(({ name }) => name === "say") + 1),
      random,
    ),
  };
}

/** One store from its making to its last life; each life but a few ends with a kill. */
async function liveAndDie(
  folder: string,
  options: {
    library: string;
    random: SeededRandom;
    plans: Record<Life, KillPlan>;
    tally: Tally;
    number: number;
    serves: boolean;
    /** Kills in all. */
    most: number;
  },
): Promise<void> {
  const { library, random, plans, tally, number, serves, most } = options;
  const evicts = number % 2 === 1;
  const sizes = serves ? [SIZES.serverKeeps, SIZES.serverEvicts] : [SIZES.keeps, SIZES.evicts];
  const maxSize = sizes[number % 2]!;
  const store = new CrashedStore(await made(folder), { library, maxSize, evicts, random });
  const lives: string[] = [];
  try {
    for (let life = 0; life < LIVES && tally.kills < most; life++) {
      let kind: Life = life === 0 ? "first" : "later";
      if (life % 5 === 4) {
        const names = ["packs.sqlite", "index.sqlite"] as const;
        await store.spoil(life % 2 === 0 ? names : [names[random.integer(0, 2)]!]);
        kind = "rebuild";
      }
      // A store that is to be full needs lives that come to their end.
      const kill = evicts && life > 0 && life < 3 ? undefined : plans[kind].next(random);
      lives.push(kill ? `${kill.call} ${kill.path} ${kill.nth} ${kill.how}` : "not killed");
      const goOn = life % 4 === 2 && life % 5 !== 3;
      await store.round(kill, { cuts: CUTS, thorough: life % 3 === 0, tally, goOn, serves });
    }
  } catch (error) {
    const { stack } = error as Error;
    throw new Error(`store ${number}, lives: ${lives.join("; ")}\n${stack}`, { cause: error });
  }
  await Deno.remove(folder, { recursive: true });
}

async function made(folder: string): Promise<string> {
  await Deno.mkdir(folder);
  return folder;
}

function print(tally: Tally): void {
  const { kills, cuts, points, acknowledged, compared, torn, gone } = tally;
  for (const [point, count] of [...points].sort()) {
    console.info(`${String(count).padStart(5)}  ${point}`);
  }
  console.info(
    `${kills} kills at ${points.size} points, ${cuts} power cuts, ${acknowledged} changes acknowledged; ` +
      `${compared} comparisons: lost 0, partial 0; ${gone} evicted; ${torn} torn bytes cut`,
  );
}
