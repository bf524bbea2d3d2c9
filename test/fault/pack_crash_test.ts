/** A writer killed at every named step: what it acknowledged is there when the store is reopened. */
import assert from "node:assert/strict";
import { everyNth } from "../helpers/long.ts";
import { fromFileUrl } from "../helpers/paths.ts";
import { toHex } from "../../core/digest.ts";
import { FAULT_POINTS } from "../../store/pack/faults.ts";
import type { FaultPoint } from "../../store/pack/faults.ts";
import { tempDir } from "../helpers/temp.ts";
import { assertInvariants } from "./pack_invariants.ts";
import { chunk, openTestStore } from "./pack_store.ts";
import type { TestStore } from "./pack_store.ts";

const CHILD = fromFileUrl("../fault/pack_crash_child.ts");
/** Kills that run at the same time. */
const PARALLEL = 2;

interface Kill {
  readonly point: FaultPoint;
  readonly work: "plain" | "squeeze" | "evict" | "rebuild" | "reopen";
  readonly nth: number;
}

/** The work in which a step is met. */
function workOf(point: FaultPoint): Kill["work"] {
  if (point.startsWith("squeeze.")) return "squeeze";
  if (point.startsWith("evict.")) return "evict";
  if (point.startsWith("rebuild.") || point.startsWith("open.")) return "rebuild";
  return "plain";
}

const KILLS: Kill[] = FAULT_POINTS.flatMap((point) => {
  const work = workOf(point);
  const once = /^(close|log_compact)\./.test(point) || work === "rebuild";
  return (once ? [1] : [1, 3]).map((nth) => ({ point, work, nth }));
});
// Steps that are met in more than one kind of work.
for (const work of ["squeeze", "evict"] as const) {
  for (const point of ["drop.before_tables", "drop.before_delete", "drop.after_delete"] as const) {
    KILLS.push({ point, work, nth: 2 });
  }
}
for (const point of ["move.before_write", "move.before_sync", "move.before_tables"] as const) {
  KILLS.push({ point, work: "evict", nth: 1 });
}

async function run(dir: string, kill: Pick<Kill, "work" | "nth"> & { point: string }) {
  const { work, point, nth } = kill;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CHILD, dir, work, point, String(nth)],
    stdout: "piped",
    stderr: "piped",
  });
  const { signal, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  const lines = text.decode(stdout).split("\n").filter(Boolean);
  return { signal, lines, errors: text.decode(stderr) };
}

async function check(store: TestStore, lines: readonly string[], mayMiss: boolean): Promise<void> {
  const gone = new Set(lines.filter((line) => line.startsWith("gone")).map((l) => l.split(" ")[1]));
  for (const line of lines) {
    const [what, number, size] = line.split(" ");
    if (what !== "chunk" || gone.has(number)) continue;
    const { id, body } = chunk(Number(number), Number(size));
    const read = await store.reader.read("chunk", id);
    if (mayMiss && read === undefined) continue;
    assert.deepEqual(read, body, `${line} was acknowledged`);
  }
  const values = new Map<string, number>();
  for await (const { record } of store.writer.log.scan()) {
    values.set(toHex(record.id), Number(new TextDecoder().decode(record.body)));
  }
  for (const line of lines) {
    const [what, number] = line.split(" ");
    if (what !== "log") continue;
    const name = String(Number(number) % 8).padStart(64, "0");
    assert.ok((values.get(name) ?? -1) >= Number(number), `${line}: there is ${values.get(name)}`);
  }
}

async function killOnce(kill: Kill): Promise<void> {
  await using dir = await tempDir();
  let before: string[] = [];
  if (kill.work === "rebuild") {
    const killed = await run(dir.path, { work: "plain", point: "log.before_write", nth: 5 });
    assert.equal(killed.signal, "SIGKILL", killed.errors);
    before = killed.lines;
    await Deno.remove(dir.join("packs.sqlite"));
  }
  const { signal, lines, errors } = await run(dir.path, kill);
  assert.equal(signal, "SIGKILL", `${kill.point} was not met: ${errors}`);
  const mayMiss = kill.work === "evict";
  for (let again = 0; again < 2; again++) {
    await using store = await openTestStore(dir.path, { segmentSize: 100_000 });
    await check(store, [...before, ...lines], mayMiss);
    assert.equal((await store.writer.verify()).damaged, 0);
    assert.equal(store.writer.stats().quarantined, 0);
    // What was full is sealed in the background.
    await store.writer.seal();
    await assertInvariants(store, dir.path);
    await check(store, [...before, ...lines], mayMiss);
    await store.writer.commitRecords(undefined, [chunk(50_000 + again)]);
  }
}

Deno.test("PackWriter: killed at each step, everything acknowledged is there", async (t) => {
  // A sixth of them in the short form; it has to meet every kind of work.
  const kills = everyNth(KILLS, 6);
  const works = (some: readonly Kill[]) => [...new Set(some.map(({ work }) => work))].sort();
  assert.deepEqual(works(kills), works(KILLS));
  const queue = [...kills];
  const failures: string[] = [];
  const worker = async () => {
    for (let kill = queue.shift(); kill; kill = queue.shift()) {
      const name = `${kill.work}: ${kill.point}, time ${kill.nth}`;
      await killOnce(kill).catch((error) => failures.push(`${name}: ${error.stack}`));
    }
  };
  await t.step(`${kills.length} kills`, async () => {
    await Promise.all(Array.from({ length: PARALLEL }, worker));
    const points = new Set(kills.map(({ point }) => point));
    console.info(`${kills.length} kills at ${points.size} named steps`);
    assert.deepEqual(failures, []);
  });
});

Deno.test("PackWriter: the work that is killed comes to its end when it is not", async () => {
  for (const work of ["plain", "squeeze", "evict"] as const) {
    await using dir = await tempDir();
    const { signal, lines, errors } = await run(dir.path, { work, point: "none", nth: 1 });
    assert.equal(signal, null);
    assert.equal(lines.at(-1), "done", errors);
    await using store = await openTestStore(dir.path, { segmentSize: 100_000 });
    await check(store, lines, work === "evict");
    assert.deepEqual(store.events, []);
    await assertInvariants(store, dir.path);
  }
});
