/**
 * A store under work, for a recorder that kills it: `<dir> <seed> <first id> <max size> <durability>`. Says
 * `try <id> ...` before and `ok <id> ...` after each change, at once; what is between the two when
 * it dies may have happened or not.
 */
import { openEngine } from "../../app/compose.ts";
import { bytesSource } from "../../core/bytes.ts";
import { systemClock } from "../../core/clock.ts";
import type { Clock } from "../../core/clock.ts";
import type { EntryDraft } from "../../core/entry.ts";
import type { Durability } from "../../store/pack/options.ts";
import { randomOf, seedProcess } from "../helpers/random.ts";
import { ADMIN_RIGHTS, bodyOf, CLOCK_STEP_MS, keyOf } from "./work_items.ts";

const [dir, seed, firstId, maxSize, durability] = Deno.args as [
  string,
  string,
  string,
  string,
  Durability,
];
const encoder = new TextEncoder();
const say = (line: string) => void Deno.stdout.writeSync(encoder.encode(`${line}\n`));
seedProcess(Number(seed));
const random = randomOf(Number(seed));
/** So much shorter is every sleep. */
const SLEEP_FASTER = 100;
let id = Number(firstId);
// Each round is an hour later than the one before, so that a collection finds something old enough.
const later = id * CLOCK_STEP_MS;
const clock: Clock = {
  ...systemClock,
  now: () => systemClock.now() + later,
  // So that a life of a fifth of a second has several syncs of relaxed durability.
  sleep: (ms, signal) => systemClock.sleep(ms / SLEEP_FASTER, signal),
};

const engine = await openEngine(dir, {
  clock,
  durability,
  maxSize: Number(maxSize),
  report: (line) => say(`log ${line}`),
});
const { cache } = engine;
say("opened");

function sizeOf(): number {
  const kind = random.next();
  if (kind < 0.65) return random.integer(0, 3000);
  return kind < 0.85 ? random.integer(20_000, 200_000) : random.integer(280_000, 700_000);
}

async function put(key: string): Promise<void> {
  const [mine, size] = [id++, sizeOf()];
  say(`try ${mine} put ${key} ${size}`);
  const draft: EntryDraft = {
    ...keyOf(key),
    mutability: "replaceable",
    blobs: [],
    inputs: {},
    tags: [],
    headers: {},
    cost: 1,
    writer: "work",
    content: "opaque",
    created: clock.now(),
  };
  await cache.put(draft, bytesSource(bodyOf(mine, size)));
  say(`ok ${mine}`);
}

async function remove(key: string): Promise<void> {
  const mine = id++;
  say(`try ${mine} remove ${key} 0`);
  await cache.remove([keyOf(key)], { by: "work" });
  say(`ok ${mine}`);
}

async function blob(): Promise<void> {
  const [mine, size] = [id++, sizeOf()];
  say(`try ${mine} blob - ${size}`);
  await cache.blobs("default").put(undefined, bytesSource(bodyOf(mine, size)));
  say(`ok ${mine}`);
}

async function token(): Promise<void> {
  const mine = id++;
  say(`try ${mine} token t${mine} 0`);
  await engine.tokens.create(`t${mine}`, ADMIN_RIGHTS);
  say(`ok ${mine}`);
  if (random.next() < 0.5) return;
  const ends = id++;
  say(`try ${ends} revoke t${mine} 0`);
  await engine.tokens.revoke(`t${mine}`);
  say(`ok ${ends}`);
}

async function read(key: string): Promise<void> {
  const { namespace, scope, protocol } = keyOf(key);
  const entry = await cache.find({ namespace, protocol, key, scopes: [scope] });
  const body = entry && await cache.body(entry);
  await body?.stream().cancel();
}

for (let group = 0; group < 8; group++) {
  // Each key once in a group: what is written to one at the same time has no order.
  const keys = new Set(Array.from({ length: 6 }, () => `k${random.integer(0, 40)}`));
  const work = [...keys].map((key) => {
    const kind = random.next();
    if (kind < 0.7) return put(key);
    return kind < 0.85 ? remove(key) : read(key);
  });
  if (random.next() < 0.4) work.push(blob());
  if (group === 2) work.push(token());
  await Promise.all(work);
  if (group === 5 && random.next() < 0.5) {
    say("gc");
    await engine.maintenance.gc();
    say("gc done");
  }
}
await engine[Symbol.asyncDispose]();
say("done");
