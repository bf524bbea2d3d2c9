import assert from "node:assert/strict";
import { ManualClock } from "../core/clock.ts";
import {
  SPARE_FROM_BYTES,
  SPARE_LOOK_MS,
  SPARE_REST_BYTES,
  SPARE_REST_LOOKS,
  SPARE_STEP_BYTES,
} from "../core/limits.ts";
import { skippable } from "../test/helpers/skip.ts";
import { SpareMemory } from "./spare_memory.ts";

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A process of `state.resident` bytes, `state.inUse` of which can not be given back. */
function world() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const state = { resident: SPARE_FROM_BYTES / 2, inUse: 0, trims: 0, closed: 0, fails: false };
  const memory = new SpareMemory({
    clock,
    resident: () => state.resident,
    report: (line) => lines.push(line),
    trim: {
      run() {
        state.trims++;
        if (state.fails) return Promise.reject(new TypeError("no such call"));
        state.resident = state.inUse;
        return Promise.resolve();
      },
      [Symbol.dispose]: () => void state.closed++,
    },
  });
  const look = async () => {
    clock.advance(SPARE_LOOK_MS);
    await settle();
    return state.trims;
  };
  return { memory, state, look, lines };
}

Deno.test("SpareMemory: a process at rest is left alone, one that grew gives back what is spare", async () => {
  const { memory, state, look } = world();
  await using _memory = memory;
  assert.equal(await look(), 0);
  state.resident = SPARE_FROM_BYTES + SPARE_STEP_BYTES - 1;
  assert.equal(await look(), 0);
  state.resident++;
  state.inUse = SPARE_FROM_BYTES + 1;
  assert.equal(await look(), 1);
});

Deno.test("SpareMemory: what a start leaves behind is given back once, and then what has come in some looks", async () => {
  const { memory, state, look } = world();
  await using _memory = memory;
  state.inUse = SPARE_REST_BYTES;
  const looks = async () => {
    for (let n = 1; n < SPARE_REST_LOOKS; n++) await look();
    const before = state.trims;
    return [before, await look()];
  };
  assert.deepEqual(await looks(), [0, 1]);
  assert.deepEqual(await looks(), [1, 1]);
  state.resident += SPARE_REST_BYTES - 1;
  assert.deepEqual(await looks(), [1, 1]);
  state.resident++;
  assert.equal(await look(), 2);
  state.resident += SPARE_REST_BYTES;
  assert.deepEqual(await looks(), [2, 3]);
});

Deno.test("SpareMemory: what is in use is not asked for again and again, only what comes on top", async () => {
  const { memory, state, look } = world();
  await using _memory = memory;
  state.resident = state.inUse = 3 * SPARE_FROM_BYTES;
  assert.equal(await look(), 1);
  assert.equal(await look(), 1);
  state.resident += SPARE_STEP_BYTES;
  assert.equal(await look(), 2);
  // Once it has shrunk, less is enough to be too much.
  state.resident = state.inUse = SPARE_FROM_BYTES;
  assert.equal(await look(), 2);
  state.resident += SPARE_STEP_BYTES;
  assert.equal(await look(), 3);
});

Deno.test("SpareMemory: a library that fails is told of once and let go", async () => {
  const { memory, state, look, lines } = world();
  state.fails = true;
  state.resident = 2 * SPARE_FROM_BYTES;
  await look();
  await look();
  assert.deepEqual([state.trims, state.closed, lines.length], [1, 1, 1]);
  await memory[Symbol.asyncDispose]();
});

Deno.test("SpareMemory: disposing it ends the looks and closes the library", async () => {
  const { memory, state, look } = world();
  await memory[Symbol.asyncDispose]();
  state.resident = 2 * SPARE_FROM_BYTES;
  assert.equal(await look(), 0);
  assert.equal(state.closed, 1);
});

skippable("the C library gives back what dead bodies left between living ones", {
  need: () => Promise.resolve(Deno.build.target.endsWith("-linux-gnu") ? undefined : "needs glibc"),
}, async () => {
  // In a process of its own: what other tests left would be used first.
  const child = new URL("../test/helpers/spare_memory_child.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", child],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const { before, after, alive } = JSON.parse(new TextDecoder().decode(stdout));
  assert.equal(alive, 2000);
  assert.ok(after < before - 60e6, `${before / 1e6} MB before, ${after / 1e6} MB after`);
});
