import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import { CacheError } from "../../core/errors.ts";
import { RELAY_LONGEST_REST_MS, RELAY_REST_MS } from "../../core/build_limits.ts";
import { settle } from "../../test/helpers/transfers.ts";
import { Outage } from "./outage.ts";

const HUNG = new CacheError("timeout", "it hangs");

function outageAt(clock: ManualClock) {
  const state = { well: true, probes: 0 };
  const outage = new Outage({
    clock,
    probe: () => {
      state.probes++;
      return Promise.resolve(state.well);
    },
  });
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };
  return { outage, state, pass };
}

Deno.test("a server that hangs is left alone, and found again by a look of the relay's own", async () => {
  const clock = new ManualClock();
  const { outage, state, pass } = outageAt(clock);
  await using _outage = outage;
  state.well = false;
  outage.began(HUNG);
  assert.ok(outage.away);
  await pass(RELAY_REST_MS - 1);
  assert.equal(state.probes, 0);
  await pass(1);
  assert.equal(state.probes, 1);
  assert.ok(outage.away, "it is not back, and was taken for well");
  state.well = true;
  await pass(RELAY_REST_MS);
  assert.equal(outage.away, false);
  assert.equal(outage.signal.aborted, false);
});

Deno.test("who waits when a server is given up stops waiting, and all of them are one outage", async () => {
  const { outage } = outageAt(new ManualClock());
  await using _outage = outage;
  const { signal } = outage;
  outage.began(HUNG);
  outage.began(new CacheError("unavailable", "it hangs here too"));
  assert.equal(signal.reason, HUNG);
  assert.equal(outage.count, 1);
});

Deno.test("a server that comes and goes is left alone for longer each time, up to a bound", async () => {
  const clock = new ManualClock();
  const { outage, pass } = outageAt(clock);
  await using _outage = outage;
  for (const rest of [1, 2, 4, 8, 16].map((times) => times * RELAY_REST_MS)) {
    outage.began(HUNG);
    await pass(rest - 1);
    assert.ok(outage.away, `${rest}`);
    await pass(1);
    assert.equal(outage.away, false, `${rest}`);
  }
  outage.began(HUNG);
  await pass(RELAY_LONGEST_REST_MS);
  assert.equal(outage.away, false);
});

Deno.test("the end of a relay ends its looking", async () => {
  const clock = new ManualClock();
  const { outage } = outageAt(clock);
  outage.began(HUNG);
  await outage[Symbol.asyncDispose]();
  assert.equal(clock.sleeping, 0);
});
