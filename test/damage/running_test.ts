/**
 * Damages done under a store that is open: no wrong byte is served, no more is lost than what was
 * touched, it is told, and what is lost can be stored again without a restart.
 */
import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import { randomOf, seededRandom, seedProcess } from "../helpers/random.ts";
import type { SeededRandom } from "../helpers/random.ts";
import { tempDir } from "../helpers/temp.ts";
import { chosenCases, damageCases } from "./cases.ts";
import type { DamageCase } from "./cases.ts";
import { readWorld } from "./examine.ts";
import { filesOf } from "./records.ts";
import type { StoreFile } from "./records.ts";
import { dependenciesOf, touchedIn } from "./touched.ts";
import type { Dependencies } from "./touched.ts";
import { buildWorld, openStore } from "./world.ts";
import type { World } from "./world.ts";

interface Sum {
  cases: number;
  blobsLost: number;
  entriesLost: number;
  reads: number;
}

async function damageWhileOpen(
  one: DamageCase,
  dir: string,
  { world, files, hangs, random }: {
    world: World;
    files: readonly StoreFile[];
    hangs: Dependencies;
    random: SeededRandom;
  },
): Promise<Omit<Sum, "cases">> {
  const lines: string[] = [];
  await using engine = await openStore(dir, lines);
  // Some descriptors are open, some are not; some answers are remembered.
  const some = { ...world, blobs: world.blobs.slice(0, 4), entries: world.entries.slice(0, 4) };
  await readWorld(engine, some);
  await one.apply(dir, random);
  const touched = await touchedIn(world, dir, { files, hangs });
  const first = await readWorld(engine, world);
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  const lost = first.blobs.size + first.entries.size;
  if (lost > 0) {
    assert.ok(engine.counters.get("quarantined") > 0, `lost ${lost} without a count`);
    assert.ok(lines.some((line) => line.includes("ALARM")), `lost ${lost} without an alarm`);
    assert.ok(Number((await engine.stats())["quarantined"]) > 0, "stats says nothing");
  }
  const report = await engine.maintenance.verify();
  // What was read through an open descriptor until now is a miss as well, once it is known.
  const missing = await readWorld(engine, world);
  for (const blob of [...first.blobs, ...missing.blobs]) {
    assert.ok(touched.blobs.has(blob), `untouched blob ${blob.digest} is gone`);
  }
  const where = new Set(report.problems.map((problem) => problem.where));
  for (const { digest } of missing.blobs) {
    assert.ok(where.has(`blob ${digest}`), `verify does not name ${digest}`);
  }
  for (const { key } of missing.entries) {
    assert.ok(where.has(`entry ${key}`), `verify does not name entry ${key}`);
  }
  for (const { namespace, bytes } of missing.blobs) {
    await engine.cache.blobs(namespace).put(undefined, bytesSource(bytes));
  }
  const healed = await readWorld(engine, world);
  assert.equal(healed.blobs.size + healed.entries.size, 0, "stored again, and still gone");
  await engine.maintenance.verify({ repair: true });
  const after = await engine.maintenance.verify();
  assert.deepEqual([after.lost, after.problems], [0, []], "the repair leaves something");
  const { blobs: { size: blobsLost }, entries: { size: entriesLost } } = missing;
  return { blobsLost, entriesLost, reads: 3 * missing.reads };
}

Deno.test("damage of data and log under an open store", async () => {
  const random = seededRandom("VITTE_DAMAGE_SEED");
  const { seed } = random;
  seedProcess(seed);
  await using whole = await tempDir();
  const world = await buildWorld(whole.path, random);
  const files = await filesOf(whole.path);
  const hangs = await dependenciesOf(world, files);
  const all = damageCases(files).filter(({ rebuild, type }) =>
    !rebuild && (type.startsWith("active") || type.endsWith("pack"))
  );
  const sum: Sum = { cases: 0, blobsLost: 0, entriesLost: 0, reads: 0 };
  const kinds = new Set<string>();
  const failures: string[] = [];
  for (const one of chosenCases(all, 67)) {
    await using temp = await tempDir();
    const dir = `${temp.path}/store`;
    await new Deno.Command("cp", { args: ["-a", whole.path, dir] }).output();
    // A case is the same whatever ran before it.
    seedProcess(seed, one.name);
    try {
      const random = randomOf(seed, one.name);
      const did = await damageWhileOpen(one, dir, { world, files, hangs, random });
      for (const [name, count] of Object.entries(did)) sum[name as keyof Sum] += count;
    } catch (thrown) {
      failures.push(`${one.name}: ${(thrown as Error).message}`);
    }
    sum.cases++;
    kinds.add(one.kind);
  }
  console.info(`damage, open: ${kinds.size} kinds, ${JSON.stringify(sum)}`);
  assert.deepEqual(failures, []);
});
