/**
 * Tables damaged under a store that is open: no wrong byte is served, whatever is refused is refused
 * honestly, and at the next start at the latest it is told and mended; what was acknowledged after
 * the damage is there, too.
 */
import assert from "node:assert/strict";
import { bytesSource, equalBytes } from "../../core/bytes.ts";
import { CacheError } from "../../core/errors.ts";
import { longOr } from "../helpers/long.ts";
import { randomOf, seededRandom, seedProcess } from "../helpers/random.ts";
import type { SeededRandom } from "../helpers/random.ts";
import { tempDir } from "../helpers/temp.ts";
import { readWorld } from "./examine.ts";
import { FILE_KINDS } from "./kinds.ts";
import { buildWorld, draftOf, openStore, readBlob } from "./world.ts";
import type { World } from "./world.ts";

const TABLES = ["packs.sqlite", "index.sqlite"] as const;

/** What is done to a table, and whether its log of changes (`-wal`) meets the same. */
const KINDS: readonly { kind: string; log: boolean }[] = [
  { kind: "flips", log: false },
  { kind: "page of noise", log: false },
  { kind: "delete", log: true },
  { kind: "half cut", log: false },
  { kind: "all zero", log: true },
  { kind: "all noise", log: false },
  { kind: "delete", log: false },
  { kind: "empty", log: false },
  { kind: "flips", log: true },
];

interface Sum {
  cases: number;
  reads: number;
  /** Reads and writes that were refused while the damage was there. */
  refused: number;
  /** Writes that were acknowledged after the damage. */
  written: number;
  told: number;
}

/** A refusal in our own words; anything else is passed on. */
function honest(thrown: unknown): undefined {
  if (!(thrown instanceof CacheError)) throw thrown;
  assert.notEqual(thrown.kind, "internal", thrown.message);
}

async function damageTable(
  { world, dir, sum, random, harmless }: {
    world: World;
    dir: string;
    sum: Sum;
    random: SeededRandom;
    /** Whether the damage may hit nothing that counts. */
    harmless: boolean;
  },
  damage: () => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const [blob, body] = [random.bytes(5000), random.bytes(300)];
  let stored, entered, seen = 0;
  {
    const engine = await openStore(dir, lines);
    const some = { ...world, blobs: world.blobs.slice(0, 4), entries: world.entries.slice(0, 4) };
    await readWorld(engine, some);
    await damage();
    const during = await readWorld(engine, world);
    seen = during.blobs.size + during.entries.size;
    sum.reads += during.reads;
    sum.refused += seen;
    stored = await engine.cache.blobs("default").put(undefined, bytesSource(blob)).catch(honest);
    const draft = draftOf({ namespace: "default", key: "after" });
    entered = await engine.cache.put(draft, bytesSource(body)).catch(honest);
    sum.refused += Number(!stored) + Number(!entered);
    sum.written += Number(!!stored) + Number(!!entered);
    sum.reads += (await readWorld(engine, world)).reads;
    // What was refused is told of at once, not at the next start.
    if (seen > 0) {
      assert.ok(lines.some((line) => line.includes("ALARM")), `${seen} refused, no alarm`);
    }
    await engine[Symbol.asyncDispose]().catch(honest);
  }
  await using engine = await openStore(dir, lines);
  // A page that was about to be written, or is not in use, comes to no harm: then nothing was wrong.
  if (lines.length > 0) sum.told++;
  else assert.ok(harmless && seen === 0, `nobody was told, ${seen} reads were refused`);
  const whole = await readWorld(engine, world);
  sum.reads += whole.reads;
  assert.equal(whole.blobs.size + whole.entries.size, 0, "not all is back after a start");
  if (stored) {
    const read = await readBlob(engine, { namespace: "default", digest: stored.digest });
    assert.ok(read && equalBytes(read, blob), "a blob that was acknowledged is gone");
  }
  if (entered) {
    const lookup = { namespace: "default", scopes: ["main"], protocol: "kv", key: "after" };
    assert.ok(await engine.cache.find(lookup), "an entry that was acknowledged is gone");
  }
  const { quarantined, lost, broken_entries, problems } = await engine.maintenance.verify();
  assert.deepEqual([quarantined, lost, broken_entries, problems], [0, 0, 0, []]);
}

Deno.test("damage of the tables under an open store", async () => {
  const { seed } = seededRandom("VITTE_DAMAGE_SEED");
  seedProcess(seed);
  await using whole = await tempDir();
  const world = await buildWorld(whole.path, randomOf(seed, "world"));
  const sum: Sum = { cases: 0, reads: 0, refused: 0, written: 0, told: 0 };
  const failures: string[] = [];
  for (const table of TABLES) {
    for (const { kind, log } of longOr(KINDS, KINDS.slice(0, 2))) {
      const name = `${kind}: ${table}${log ? " and its log" : ""}, open`;
      const random = randomOf(seed, name);
      await using temp = await tempDir();
      const dir = temp.join("store");
      await new Deno.Command("cp", { args: ["-a", whole.path, dir] }).output();
      const damage = async () => {
        const files = [table, ...log ? [`${table}-wal`, `${table}-shm`] : []];
        for (const path of files) {
          const found = await Deno.stat(`${dir}/${path}`).catch(() => undefined);
          if (!found || found.size === 0 || path.endsWith("-shm") && kind !== "delete") continue;
          const span = { from: 0, to: found.size };
          await FILE_KINDS[kind]!({ dir, path, span, other: undefined, random });
        }
      };
      try {
        const harmless = kind.startsWith("page") || kind === "flips";
        await damageTable({ world, dir, sum, random, harmless }, damage);
      } catch (thrown) {
        failures.push(`${name}: ${(thrown as Error).stack}`);
      }
      sum.cases++;
    }
  }
  console.info(`damage, tables under an open store: ${JSON.stringify(sum)}`);
  assert.deepEqual(failures, []);
});
