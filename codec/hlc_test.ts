import assert from "node:assert/strict";
import fc from "fast-check";
import { isKind } from "../core/errors.ts";
import { hlcMs, MAX_HLC_AHEAD_MS, mergeHlc, nextHlc } from "./hlc.ts";

const NOW = 1_700_000_000_000;

Deno.test("nextHlc() is the wall clock when that is ahead", () => {
  assert.equal(nextHlc(0n, NOW), BigInt(NOW) * 65536n);
  assert.equal(hlcMs(nextHlc(0n, NOW + 0.9)), NOW);
});

Deno.test("nextHlc() grows strictly whatever the wall clock does", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 40 })), (clock) => {
    let last = 0n;
    for (const now of clock) {
      const next = nextHlc(last, now);
      assert.ok(next > last);
      assert.ok(hlcMs(next) >= now);
      last = next;
    }
  }));
});

Deno.test("nextHlc() carries a full counter into the milliseconds", () => {
  const full = BigInt(NOW) * 65536n + 65535n;
  assert.equal(hlcMs(nextHlc(full, NOW)), NOW + 1);
});

Deno.test("nextHlc() refuses a clock that does not fit 48 bits, and to wrap around", () => {
  for (const now of [-1, NaN, Infinity, 2 ** 48]) {
    assert.throws(() => nextHlc(0n, now), (thrown) => isKind(thrown, "internal"));
  }
  assert.throws(() => nextHlc(2n ** 64n - 1n, NOW), (thrown) => isKind(thrown, "internal"));
});

Deno.test("mergeHlc() takes the later one, and refuses one from the far future", () => {
  const seen = BigInt(NOW + MAX_HLC_AHEAD_MS) * 65536n;
  assert.equal(mergeHlc(5n, seen, NOW), seen);
  assert.equal(mergeHlc(seen, 5n, NOW), seen);
  assert.throws(
    () => mergeHlc(5n, seen + 65536n, NOW),
    (thrown) => isKind(thrown, "invalid_argument"),
  );
});
