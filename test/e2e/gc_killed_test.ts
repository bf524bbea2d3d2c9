/** A collection that is killed again and again: the next one does what is left. */
import assert from "node:assert/strict";
import { openEngine } from "../../app/compose.ts";
import type { Engine } from "../../app/engine.ts";
import { bytesSource } from "../../core/bytes.ts";
import type { GcReport } from "../../core/cache.ts";
import { systemClock } from "../../core/clock.ts";
import type { Digest } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import { draftOf } from "../damage/world.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "../load/bodies.ts";

const BLOBS = 2000;
const BYTES = 20_000;
/** Every third blob stays: of each pack two thirds are dead. */
const KEEPS = 3;
/** Kills that must meet a collection before it has come to its end. */
const KILLS = 3;

Deno.test("a collection that is killed loses nothing, and the next ones free all that is dead", async () => {
  await using folder = await tempDir();
  const dir = folder.join("store");
  const kept = await fill(dir);
  const before = await stored(dir);
  let [kills, killed] = [0, 0];
  let report: GcReport | undefined;
  // Each time a little later, so that they meet it in all its parts.
  for (let delay = 1; !report; delay += 25) {
    const again = await collect(dir, kills < KILLS * 4 ? delay : undefined);
    if (typeof again === "object") report = again;
    else {
      kills++;
      if (await stored(dir) < before) killed++;
    }
  }
  console.info(
    `${kills} kills, ${killed} of them after something was freed; then ` +
      `${report.records_removed} records and ${report.segments_removed} packs`,
  );
  assert.ok(kills >= KILLS, `only ${kills} kills came in time`);
  const last = await collect(dir, undefined) as GcReport;
  assert.deepEqual([last.records_removed, last.segments_removed, last.bytes_freed], [0, 0, 0]);
  await using engine = await open(dir);
  for (const [number, digest] of kept) {
    const entry = await engine.cache.find({ ...keyOf(number), scopes: ["main"] });
    const body = entry && await engine.cache.body(entry);
    assert.ok(body?.bytes, `entry ${number} is gone`);
    assert.equal(digestOf(body.bytes), digest);
  }
  const totals = await engine.cache.totals();
  assert.equal(totals.chunks, kept.size, "all that is dead was collected");
  const { problems } = await engine.maintenance.verify();
  assert.deepEqual(problems, []);
  assert.ok(await stored(dir) < before * 0.6, "its bytes came back");
});

function open(dir: string): Promise<Engine> {
  return openEngine(dir, { clock: systemClock, maxSize: 64 * 1024 * 1024 });
}

/** Stores blobs, and lets go of most; tells those that stay. */
async function fill(dir: string): Promise<Map<number, Digest>> {
  await using engine = await open(dir);
  const kept = new Map<number, Digest>();
  const dead: Digest[] = [];
  const one = async (number: number) => {
    const draft = draftOf(keyOf(number));
    const { entry } = await engine.cache.put(draft, bytesSource(bodyOf(number, BYTES)));
    const { digest } = entry.blobs[0]!;
    if (number % KEEPS === 0) kept.set(number, digest);
    else dead.push(digest);
  };
  for (let first = 0; first < BLOBS; first += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, n) => one(first + n)));
  }
  await engine.cache.blobs("default").delete(dead);
  return kept;
}

function keyOf(number: number) {
  return { namespace: "default", protocol: "kv", key: `key-${number}` };
}

/** Bytes of all packs. */
async function stored(dir: string): Promise<number> {
  let bytes = 0;
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    const path = `${dir}/${name}`;
    if (isDirectory) bytes += await stored(path);
    else if (!name.includes("sqlite")) bytes += (await Deno.stat(path)).size;
  }
  return bytes;
}

/** Collects in a process of its own; with a delay it is killed so long after it began. */
async function collect(dir: string, delayMs: number | undefined): Promise<GcReport | "killed"> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("gc_child.ts", import.meta.url).pathname, dir],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (delayMs === undefined || timer !== undefined || !text.includes("collecting")) continue;
    timer = setTimeout(() => {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has just come to its end.
      }
    }, delayMs);
  }
  const { success } = await child.status;
  clearTimeout(timer);
  const line = text.split("\n")[1];
  if (!line) {
    assert.ok(!success && delayMs !== undefined, `the collection failed: ${text}`);
    return "killed";
  }
  return JSON.parse(line);
}
