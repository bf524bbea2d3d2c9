/**
 * A table of damages, each done to a store that nobody has open: it starts or says why not, serves
 * no wrong byte, loses no more than what was touched, tells of it, and can be mended.
 */
import assert from "node:assert/strict";
import { HARNESS } from "../helpers/long.ts";
import { randomOf, seededRandom, seedProcess } from "../helpers/random.ts";
import { tempDir } from "../helpers/temp.ts";
import { chosenCases, damageCases } from "./cases.ts";
import type { DamageCase } from "./cases.ts";
import { examine } from "./examine.ts";
import { filesOf } from "./records.ts";
import { dependenciesOf, touchedIn } from "./touched.ts";
import type { Touched } from "./touched.ts";
import { buildWorld } from "./world.ts";
import type { World } from "./world.ts";

const TABLES = /^(packs|index)\.sqlite(-wal|-shm)?$/;

/** What stands in the way of a file is not taken away by itself. */
const FOLDER = "folder in its place";

/** Kinds after which a whole file is gone. */
const GONE = new Set(["delete", FOLDER]);
/** Kinds after which records are gone without a gap; the footer of a pack still knows them. */
const GAPLESS = new Set(["empty", "cut", "left out"]);

function isTraceless({ kind, type }: DamageCase): boolean {
  return GONE.has(kind) || GAPLESS.has(kind) && type.startsWith("active");
}

/** Of entries that are all alike, what the short form looks at: each of so many, and all touched ones. */
const NTH_FILLING = 9;

/** Without these a store can not be opened, and nothing else knows what was in them. */
const REFUSING = new Set(["FORMAT", "key", "auth.sqlite", "text"]);

/** What is looked at after a damage: everything, in the short form less of what is all alike. */
function partOf(world: World, touched: Touched): World {
  if (HARNESS) return world;
  const alike = [...world.filling];
  const left = new Set(alike.filter((_, at) => at % NTH_FILLING > 0));
  const bodies = new Set([...left].map(({ versions }) => versions[0]));
  const entries = world.entries.filter((one) => !left.has(one) || touched.entries.has(one));
  const blobs = world.blobs.filter((one) => !bodies.has(one.bytes) || touched.blobs.has(one));
  return { ...world, entries, blobs };
}

Deno.test("damage of every file and field of a stopped store", async () => {
  const random = seededRandom("VITTE_DAMAGE_SEED");
  const { seed } = random;
  seedProcess(seed);
  await using whole = await tempDir();
  const world = await buildWorld(whole.path, random);
  const files = await filesOf(whole.path);
  const [part, parts] = (Deno.env.get("VITTE_DAMAGE_PART") ?? "0/1").split("/").map(Number) as [
    number,
    number,
  ];
  const hangs = await dependenciesOf(world, files);
  const cases = chosenCases(damageCases(files), 127)
    .filter((_, at) => at % parts === part);
  const sum = { cases: 0, refused: 0, blobsLost: 0, entriesLost: 0, told: 0, reads: 0 };
  const kinds = new Set<string>();
  const failures: string[] = [];
  // Several processes can share a long run: part 0/2 and part 1/2.
  const only = Deno.env.get("VITTE_DAMAGE_ONLY");
  for (const one of cases) {
    if (only !== undefined && !one.name.includes(only)) continue;
    await using temp = await tempDir();
    const dir = `${temp.path}/store`;
    await new Deno.Command("cp", { args: ["-a", whole.path, dir] }).output();
    // A case is the same whatever ran before it.
    seedProcess(seed, one.name);
    await one.apply(dir, randomOf(seed, one.name));
    const touched = await touchedIn(world, dir, { files, hangs });
    if (one.rebuild) {
      for (const { name } of [...Deno.readDirSync(dir)]) {
        if (TABLES.test(name)) await Deno.remove(`${dir}/${name}`);
      }
    }
    try {
      const outcome = await examine(dir, partOf(world, touched), {
        ...touched,
        refuse: REFUSING.has(one.type) || one.kind === FOLDER,
        torn: one.rebuild && one.type.startsWith("active"),
        traceless: one.rebuild && isTraceless(one),
        tables: one.type === "packs.sqlite",
        displaced: one.kind === "exchange" && one.type === "data pack",
        replayed: one.rebuild || one.type === "active log",
      });
      for (const [name, count] of Object.entries(outcome)) sum[name as keyof typeof sum] += count;
    } catch (thrown) {
      if (Deno.env.has("VITTE_DAMAGE_ECHO")) {
        console.log("BAD", one.name, (thrown as Error).message);
      }
      const { message, stack } = thrown as Error;
      failures.push(`${one.name}: ${message}`);
      if (only !== undefined) console.log(stack);
    }
    sum.cases++;
    kinds.add(one.kind);
  }
  console.info(`damage, stopped: ${kinds.size} kinds, ${JSON.stringify(sum)}`);
  assert.deepEqual(failures, []);
});
