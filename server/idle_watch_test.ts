import assert from "node:assert/strict";
import { ManualClock } from "../core/clock.ts";
import { IdleWatch } from "./idle_watch.ts";

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function watchAt(clock: ManualClock) {
  let idle = 0;
  const watch = new IdleWatch(clock, {
    limit: 100,
    onIdle: () => void idle++,
    onError(error) {
      throw error;
    },
  });
  return { watch, idle: () => idle };
}

Deno.test("IdleWatch fires once when nothing happened for the limit", async () => {
  const clock = new ManualClock();
  const { watch, idle } = watchAt(clock);
  watch.wait();
  clock.advance(99);
  await settle();
  assert.equal(idle(), 0);
  clock.advance(1);
  await settle();
  assert.equal(idle(), 1);
  assert.equal(clock.sleeping, 0);
  watch.wait();
  clock.advance(1000);
  await settle();
  assert.equal(idle(), 1);
});

Deno.test("IdleWatch does not count the time in which nobody waits", async () => {
  const clock = new ManualClock();
  const { watch, idle } = watchAt(clock);
  watch.wait();
  clock.advance(60);
  watch.resume();
  clock.advance(1000);
  await settle();
  watch.wait();
  clock.advance(99);
  await settle();
  assert.equal(idle(), 0);
  clock.advance(100);
  await settle();
  assert.equal(idle(), 1);
});

Deno.test("IdleWatch is over when disposed, and leaves no timer", async () => {
  const clock = new ManualClock();
  const { watch, idle } = watchAt(clock);
  watch.wait();
  watch[Symbol.dispose]();
  watch[Symbol.dispose]();
  await settle();
  assert.equal(clock.sleeping, 0);
  clock.advance(1000);
  await settle();
  assert.equal(idle(), 0);
});

Deno.test("IdleWatch sets no timer where what is waited for is here already", async () => {
  const clock = new ManualClock();
  const { watch, idle } = watchAt(clock);
  for (let part = 0; part < 3; part++) {
    watch.wait();
    await Promise.resolve();
    watch.resume();
  }
  await settle();
  assert.equal(clock.sleeping, 0);
  watch.wait();
  await settle();
  assert.equal(clock.sleeping, 1, "but it does where something has to be waited for");
  clock.advance(100);
  await settle();
  assert.equal(idle(), 1);
});

Deno.test("IdleWatch takes the wall clock's jumps for nothing", async () => {
  const clock = new ManualClock();
  const { watch, idle } = watchAt(clock);
  watch.wait();
  clock.jump(1_000_000);
  await settle();
  assert.equal(idle(), 0);
  watch[Symbol.dispose]();
  await settle();
});
