import assert from "node:assert/strict";
import fc from "fast-check";
import { evictionOrder, keepPack } from "./eviction.ts";

const DAY = 86_400_000;
const NOW = 1_700_000_000_000;
const MIB = 1024 * 1024;

// bytes, bytes alive, used so many ms ago → the reason that a person reads
const REASONS: readonly [number, number, number, string][] = [
  [10 * MIB, 10 * MIB, 3 * DAY, "last used 3 d ago on average, 100 % alive"],
  [100, 41, 90_000, "last used 1 min 30 s ago on average, 41 % alive"],
  [100_000, 1, 0, "last used 0 ms ago on average, less than 1 % alive"],
  [100, 0, DAY, "nothing in it is alive"],
  [100, 50, -DAY, "last used 0 ms ago on average, 50 % alive"],
];

Deno.test("keepPack() says why in words", () => {
  for (const [size, alive, ago, reason] of REASONS) {
    assert.equal(keepPack({ size, alive, used: NOW - ago }, NOW).reason, reason);
  }
});

Deno.test("keepPack() lets go first what is empty, unused for long, or mostly dead", () => {
  const facts = { size: 1000, alive: 800, used: NOW - DAY };
  const score = (change: Partial<typeof facts>) => keepPack({ ...facts, ...change }, NOW).score;
  assert.equal(score({ alive: 0, used: NOW }), -Infinity);
  fc.assert(fc.property(fc.nat(30 * DAY), fc.integer({ min: 1, max: 999 }), (ago, alive) => {
    const used = NOW - ago;
    assert.ok(score({ used: used - 1, alive }) < score({ used, alive }), "longer unused");
    assert.ok(score({ used, alive }) < score({ used, alive: alive + 1 }), "less alive");
    assert.ok(score({ used, alive }) < 0);
    assert.ok(score({ used, alive }) > score({ alive: 0 }));
  }));
});

Deno.test("evictionOrder() is by score, and of equals the order given", () => {
  const pack = (name: string, alive: number, ago: number) => {
    return { name, size: 100, alive, used: NOW - ago };
  };
  const packs = [
    pack("new", 100, 1000),
    pack("old", 100, 2 * DAY),
    pack("half dead, half as old", 40, DAY),
    pack("dead", 0, 0),
    pack("dead, too", 0, DAY),
  ];
  const names = evictionOrder(packs, NOW).map(({ pack: { name } }) => name);
  assert.deepEqual(names, ["dead", "dead, too", "half dead, half as old", "old", "new"]);
});
