import assert from "node:assert/strict";
import { ManualClock } from "../core/clock.ts";
import { isKind } from "../core/errors.ts";
import { IdleWatch } from "./idle_watch.ts";

const settle = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

function watched() {
  const clock = new ManualClock();
  const errors: Error[] = [];
  const watch = new IdleWatch({ clock, idleMs: 100, onIdle: (error) => void errors.push(error) });
  const advance = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };
  return { clock, errors, watch, advance };
}

Deno.test("IdleWatch calls a timeout once, after the whole interval without a sign of life", async () => {
  const { clock, errors, watch, advance } = watched();
  await advance(99);
  watch.touch();
  await advance(99);
  assert.deepEqual(errors, []);
  await advance(1);
  assert.ok(isKind(errors[0], "timeout"));
  await advance(1000);
  assert.equal(errors.length, 1);
  assert.equal(clock.sleeping, 0);
});

Deno.test("IdleWatch does not count the time in which nobody waits", async () => {
  const { errors, watch, advance } = watched();
  watch.rest();
  for (let i = 0; i < 10; i++) await advance(100);
  assert.deepEqual(errors, []);
  watch.wake();
  await advance(99);
  assert.deepEqual(errors, []);
  await advance(100);
  assert.equal(errors.length, 1);
});

Deno.test("IdleWatch leaves no timer behind when it is disposed", async () => {
  const { clock, errors, watch, advance } = watched();
  watch[Symbol.dispose]();
  await settle();
  assert.equal(clock.sleeping, 0);
  await advance(1000);
  assert.deepEqual(errors, []);
});
