import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import { RELAY_WAIT_MS, TOLERANT_BYTES_PER_SECOND } from "../../core/build_limits.ts";
import { settle } from "../../test/helpers/transfers.ts";
import { Patience } from "./patience.ts";

function patienceAt(clock: ManualClock) {
  const late: string[] = [];
  const patience = new Patience({ clock, onLate: (error) => late.push(error.message) });
  return { patience, late };
}

Deno.test("Patience ends at a silence, and tells it once", async () => {
  const clock = new ManualClock();
  const { patience, late } = patienceAt(clock);
  patience.wait();
  clock.advance(RELAY_WAIT_MS - 1);
  await settle();
  assert.deepEqual(late, []);
  clock.advance(1);
  await settle();
  patience.moved();
  assert.equal(late.length, 1);
  assert.match(late[0] ?? "", /nothing moved for 2000 ms/);
  assert.equal(clock.sleeping, 0);
});

Deno.test("Patience ends at a trickle, which is never silent", async () => {
  const clock = new ManualClock();
  const { patience, late } = patienceAt(clock);
  for (let second = 0; second < 4 && late.length === 0; second++) {
    patience.wait();
    clock.advance(1000);
    await settle();
    patience.moved(1);
  }
  assert.match(late[0] ?? "", /bytes a second/);
  assert.equal(patience.waitedMs, 3000);
  assert.equal(clock.sleeping, 0);
});

Deno.test("Patience lasts as long as enough bytes come", async () => {
  const clock = new ManualClock();
  const { patience, late } = patienceAt(clock);
  for (let second = 0; second < 60; second++) {
    patience.wait();
    clock.advance(1000);
    await settle();
    patience.moved(TOLERANT_BYTES_PER_SECOND);
  }
  assert.deepEqual(late, []);
  patience[Symbol.dispose]();
});

Deno.test("Patience takes a tool that reads slowly for no slow server", async () => {
  const clock = new ManualClock();
  const { patience, late } = patienceAt(clock);
  patience.wait();
  patience.moved(1);
  clock.advance(3_600_000);
  await settle();
  patience.wait();
  patience.moved(1);
  await settle();
  assert.deepEqual(late, []);
  assert.equal(patience.waitedMs, 0);
  patience[Symbol.dispose]();
});
