/** A store that is killed while it pins: what was acknowledged is pinned, what was not is whole. */
import assert from "node:assert/strict";
import { openEngine } from "../../app/compose.ts";
import type { Engine } from "../../app/engine.ts";
import { bytesSource } from "../../core/bytes.ts";
import { systemClock } from "../../core/clock.ts";
import { draftOf } from "../damage/world.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "../load/bodies.ts";

const KILLS = 6;
const KEYS = 20;
const BYTES = 100_000;

function open(dir: string): Promise<Engine> {
  return openEngine(dir, { clock: systemClock, maxSize: 16 * 1024 * 1024 });
}

function keyOf(key: string) {
  return { namespace: "default", protocol: "kv", key };
}

async function put(engine: Engine, key: string, number: number): Promise<void> {
  await engine.cache.put(draftOf(keyOf(key)), bytesSource(bodyOf(number, BYTES)));
}

Deno.test("a kill between a pin and its acknowledge loses no pin that was acknowledged", async () => {
  await using folder = await tempDir();
  const dir = folder.join("store");
  {
    await using engine = await open(dir);
    for (let n = 0; n < KEYS; n++) await put(engine, `key-${n}`, n);
  }
  const pinned = new Set<string>();
  let next = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const { lines, open: unsure } = await killed(dir, next, 3 + 7 * kill);
    for (const { what, key } of lines) {
      if (what === "pin") pinned.add(key);
      else pinned.delete(key);
    }
    next += lines.length;
    await using engine = await open(dir);
    const pins = new Set((await engine.pinning.pins("default")).map(({ key }) => key));
    // What was begun and not acknowledged may be done or not; the next run begins with it again.
    if (unsure) { for (const set of [pins, pinned]) set.delete(unsure); }
    assert.deepEqual([...pins].sort(), [...pinned].sort(), `after kill ${kill}`);
    for (let n = 0; n < 200; n++) await put(engine, `more-${kill}-${n}`, 1000 * (kill + 1) + n);
    for (const key of pins) {
      const entry = await engine.cache.find({ ...keyOf(key), scopes: ["main"] });
      const body = entry && await engine.cache.body(entry);
      assert.deepEqual(body?.bytes, bodyOf(Number(key.slice(4)), BYTES), `${key} is pinned`);
    }
    // Those that are not pinned have made room; the next run pins them again.
    for (let n = 0; n < KEYS; n++) {
      if (!pins.has(`key-${n}`)) await put(engine, `key-${n}`, n);
    }
  }
  assert.ok(next >= 3 * KILLS, `${next} steps were acknowledged`);
});

/** Runs the child until it has told of so many steps, and a bit longer; tells what it told. */
async function killed(dir: string, first: number, steps: number) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      new URL("pin_child.ts", import.meta.url).pathname,
      dir,
      String(first),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    const before = text.split("done").length;
    text += part;
    // Right behind a begin that is not done: the pin is on its way to the disk.
    const enough = text.split("done").length > steps && text.trimEnd().includes("begin");
    if (enough && before <= steps || before > steps + 1) child.kill("SIGKILL");
    if (enough) break;
  }
  await child.status;
  const told = text.split("\n").slice(0, -1).map((line) => line.split(" "));
  const lines = told.filter(([state]) => state === "done")
    .map(([, what, key]) => ({ what: what!, key: key! }));
  const last = told.at(-1);
  return { lines, open: last?.[0] === "begin" ? last[2] : undefined };
}
