/** What a reconciliation of large sets takes on the wire, both ways, until both sides know. */
import assert from "node:assert/strict";
import { SummarySet } from "../../core/summary/summary_set.ts";
import { newPair, talk } from "../helpers/reconcile_pair.ts";
import { seededRandom } from "../helpers/random.ts";

const random = seededRandom("VITTE_RECONCILE_SEED");

/** Items a side, how many of all are not on both, bytes and one-way trips that are allowed. */
const BUDGETS = [
  { items: 1_000_000, differing: 0, bytes: 1024, trips: 2 },
  { items: 1_000_000, differing: 10, bytes: 8 * 1024, trips: 6 },
  { items: 1_000_000, differing: 1000, bytes: 300 * 1024, trips: 6 },
  { items: 100_000, differing: 100_000, bytes: 2 * 1024 * 1024, trips: 6 },
  { items: 100_000, differing: 200_000, bytes: 2 * 1024 * 1024, trips: 6 },
];

for (const { items, differing, bytes, trips } of BUDGETS) {
  Deno.test(`reconcile: ${items} items a side, ${differing} differ: at most ${bytes} bytes`, () => {
    const common = random.bytes(16 * (items - differing / 2));
    const [a, b] = [0, 1].map(() => {
      const set = SummarySet.of(common);
      const own = random.bytes(16 * differing / 2);
      for (let at = 0; at < own.length; at += 16) set.add(own.subarray(at, at + 16));
      set.root();
      return set;
    });
    const begun = performance.now();
    const pair = newPair(a!, b!);
    talk(pair);
    const ms = Math.round(performance.now() - begun);
    console.info(
      `${items} items, ${differing} differ: ${pair.bytes} bytes, ${pair.messages} messages, ` +
        `${pair.trips} one-way trips, ${ms} ms for both sides`,
    );
    assert.equal(pair.opener.lacks.length, differing / 2);
    assert.equal(pair.answerer.lacks.length, differing / 2);
    assert.ok(pair.bytes <= bytes, `${pair.bytes} bytes`);
    assert.ok(pair.trips <= trips, `${pair.trips} trips`);
  });
}

Deno.test("summary: the root of a million is known in less than 10 ms after a change", () => {
  const set = SummarySet.of(random.bytes(16_000_000));
  set.root();
  const times = Array.from({ length: 101 }, () => {
    set.add(random.bytes(16));
    const begun = performance.now();
    set.root();
    return performance.now() - begun;
  }).sort((x, y) => x - y);
  console.info(`root after a change: median ${times[50]} ms, most ${times[100]} ms`);
  console.info(`nodes of ${set.size} items: ${set.nodeBytes} bytes`);
  assert.ok(times[50]! < 10, `${times[50]} ms`);
  assert.ok(set.nodeBytes < 3_600_000, `${set.nodeBytes} bytes`);
});
