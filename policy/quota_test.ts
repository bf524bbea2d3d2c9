import assert from "node:assert/strict";
import fc from "fast-check";
import { excessOf, keepHeld, lettingOrder, matchesScope, scopeQuotaOf } from "./quota.ts";

const DAY = 86_400_000;
const NOW = 1_700_000_000_000;
const MIB = 1024 * 1024;

// pattern, scope → whether it is meant
const PATTERNS: readonly [string, string, boolean][] = [
  ["main", "main", true],
  ["main", "main/x", false],
  ["pr/*", "pr/1", true],
  ["pr/*", "pr/", true],
  ["pr/*", "pr", false],
  ["*", "anything/at/all", true],
  ["*/anne", "local/anne", true],
  ["*/anne", "local/anne/x", false],
  ["a*b*c", "a-b-c", true],
  ["a*b*c", "a-c-b", false],
  ["ab*ba", "aba", false],
  ["pr/.*", "pr/1", false],
];

Deno.test("matchesScope() takes * for anything and everything else for itself", () => {
  for (const [pattern, scope, wanted] of PATTERNS) {
    assert.equal(matchesScope(pattern, scope), wanted, `${pattern} ${scope}`);
  }
});

Deno.test("scopeQuotaOf() is the share with the longest pattern that matches", () => {
  const scopes = [{ pattern: "*" }, { pattern: "pr/*", bytes: 5 }, { pattern: "pr/special" }];
  const of = (scope: string) => scopeQuotaOf({ namespace: "a", scopes }, scope)?.pattern;
  assert.deepEqual(["main", "pr/1", "pr/special"].map(of), ["*", "pr/*", "pr/special"]);
  assert.equal(scopeQuotaOf({ namespace: "a", scopes: scopes.slice(1) }, "main"), undefined);
});

Deno.test("excessOf() is what is too much, and what adds nothing is never too much", () => {
  const amount = fc.record({ bytes: fc.nat(1000), entries: fc.nat(10) });
  fc.assert(fc.property(amount, amount, amount, (held, more, limit) => {
    const over = excessOf(held, more, limit);
    for (const field of ["bytes", "entries"] as const) {
      const most = more[field] === 0 ? 0 : Math.max(0, held[field] + more[field] - limit[field]);
      assert.equal(over[field], most);
    }
    assert.deepEqual(excessOf(held, more, {}), { bytes: 0, entries: 0 });
  }));
});

Deno.test("lettingOrder() lets go first what was not used for long, large ones sooner, and says why", () => {
  const held = [
    { name: "used", bytes: MIB, created: NOW - 9 * DAY, used: NOW - 1000 },
    { name: "old", bytes: 1000, created: NOW - 9 * DAY, used: NOW - 3 * DAY },
    { name: "large", bytes: 100 * MIB, created: NOW - 2 * DAY, used: 0 },
    { name: "new", bytes: 1000, created: NOW, used: 0 },
  ];
  const order = lettingOrder(held, NOW);
  assert.deepEqual(order.map(({ item }) => item.name), ["large", "old", "used", "new"]);
  assert.deepEqual(order.map(({ reason }) => reason), [
    "written 2 d ago, 100.0 MiB",
    "last used 3 d ago, 1000 B",
    "last used 1.0 s ago, 1.00 MiB",
    "written 0 ms ago, 1000 B",
  ]);
  fc.assert(fc.property(fc.nat(30 * DAY), fc.nat(MIB), (ago, bytes) => {
    const score = (used: number) => keepHeld({ bytes, created: 0, used }, NOW).score;
    assert.ok(score(NOW - ago - 1) < score(NOW - ago));
  }));
});
