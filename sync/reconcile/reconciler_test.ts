/** Two sets become equal, whatever they are; and what a peer says that lies. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { concat } from "../../core/bytes.ts";
import { isKind } from "../../core/errors.ts";
import { RECONCILE_MESSAGE_BYTES } from "../../core/limits.ts";
import { SummarySet } from "../../core/summary/summary_set.ts";
import type { SummaryView } from "../../core/summary/trie.ts";
import type { Exactness } from "./messages.ts";
import { newPair, talk, transfer } from "../../test/helpers/reconcile_pair.ts";
import type { Pair } from "../../test/helpers/reconcile_pair.ts";

function id(n: number, prefix = ""): string {
  return (prefix + createHash("sha256").update(String(n)).digest("hex")).slice(0, 32);
}

function ids(from: number, to: number, prefix = ""): string[] {
  return Array.from({ length: to - from }, (_, n) => id(from + n, prefix));
}

function setOf(items: readonly string[]): SummarySet {
  return SummarySet.of(concat(items.map((item) => Uint8Array.fromHex(item))));
}

function minus(a: readonly string[], b: readonly string[]): string[] {
  const other = new Set(b);
  return [...new Set(a)].filter((item) => !other.has(item)).sort();
}

/** Talks until both are equal, and holds what they moved against the naive difference. */
function compared(a: readonly string[], b: readonly string[], exactness?: Exactness): Pair {
  const pair = newPair(setOf(a), setOf(b));
  const moved: [string[], string[]] = [[], []];
  talk(pair);
  while (pair.opener.machine.phase === "transfer") {
    assert.equal(pair.answerer.machine.phase, "transfer");
    moved[0].push(...pair.opener.lacks);
    moved[1].push(...pair.answerer.lacks);
    transfer(pair);
  }
  // What was told before a list begins, the list tells again.
  assert.deepEqual([...new Set(moved[0])].sort(), minus(a, b));
  assert.deepEqual([...new Set(moved[1])].sort(), minus(b, a));
  assert.equal(pair.opener.machine.phase, "equal");
  assert.equal(pair.answerer.machine.phase, "equal");
  if (exactness) assert.equal(pair.opener.machine.exactness, exactness);
  return pair;
}

Deno.test("Reconciler: two sets of any kind find exactly their difference", () => {
  const cluster = fc.constantFrom("", "", "", "7", "abcdef", "c".repeat(30));
  const run = fc.tuple(fc.nat(3000), fc.nat(400), cluster).map(([from, count, prefix]) =>
    ids(from, from + count, prefix)
  );
  const runs = fc.array(run, { maxLength: 3 }).map((parts) => [...new Set(parts.flat())]);
  fc.assert(
    fc.property(runs, runs, runs, (common, a, b) => {
      compared([...common, ...a], [...common, ...b]);
    }),
    { numRuns: 40 },
  );
});

Deno.test("Reconciler: empty, equal, disjoint, one inside the other, clustered", () => {
  const many = ids(0, 3000);
  const cases: [string[], string[], Exactness?][] = [
    [[], [], "cursor"],
    [[], many],
    [many, []],
    [many, many],
    [many, ids(3000, 6000), "short"],
    [many, many.slice(0, 10)],
    [many.slice(0, 1), many.slice(1, 2)],
    [ids(0, 2000, "abcdef"), ids(500, 2500, "abcdef"), "short"],
    // A list of 48-bit tags cannot tell these apart: the roots find it out.
    [ids(0, 200, "e".repeat(30)), ids(100, 900, "e".repeat(30)), "full"],
    [[...many, ...ids(0, 100, "0".repeat(31))], many],
  ];
  for (const [a, b, exactness] of cases) compared(a, b, exactness);
});

Deno.test("Reconciler: an equal pair is done in one round trip and less than 1 KB", () => {
  const many = ids(0, 10_000);
  const pair = newPair(setOf(many), setOf(many.toReversed()));
  talk(pair);
  assert.equal(pair.trips, 2);
  assert.equal(pair.messages, 2);
  assert.ok(pair.bytes <= 1024, `${pair.bytes} bytes`);
  assert.equal(pair.opener.machine.phase, "equal");
});

Deno.test("Reconciler: ten of 10,000 cost a few kilobytes, all of them a list of tags", () => {
  const common = ids(0, 10_000);
  const few = compared([...common, ...ids(20_000, 20_005)], [...common, ...ids(30_000, 30_005)]);
  assert.ok(few.bytes <= 6 * 1024, `${few.bytes} bytes`);
  assert.ok(few.trips <= 6 + 2, `${few.trips} trips, two of them for the checks`);
  const all = compared(common, ids(10_000, 20_000));
  assert.ok(all.bytes <= 85_000, `${all.bytes} bytes`);
  assert.ok(all.trips <= 6 + 2, `${all.trips} trips`);
});

Deno.test("Reconciler: no message is longer than its limit", () => {
  const pair = newPair(setOf(ids(0, 30_000)), setOf(ids(20_000, 50_000)));
  let longest = 0;
  while (pair.opener.out.length + pair.answerer.out.length > 0) {
    for (
      const [from, to] of [[pair.opener, pair.answerer], [pair.answerer, pair.opener]] as const
    ) {
      for (const message of from.out.splice(0)) {
        longest = Math.max(longest, message.length);
        to.machine.receive(message);
      }
    }
  }
  assert.ok(longest > 10_000 && longest <= RECONCILE_MESSAGE_BYTES, `${longest} bytes`);
});

Deno.test("Reconciler: items with one tag in a list stay together, also at the end of a message", () => {
  // Three with each tag: 8,776 tags fit into a message, which is no multiple of three.
  const triples = (from: number, to: number) =>
    ids(from, to).flatMap((item) => ["1", "2", "3"].map((end) => item.slice(0, 31) + end));
  const pair = compared(triples(0, 8000), triples(8000, 16_000), "short");
  assert.ok(pair.bytes < 100_000, `${pair.bytes} bytes: it was no list`);
});

Deno.test("Reconciler: cursors that hold on both sides need no comparison", () => {
  const common = ids(0, 100);
  const a = setOf([...common, ...ids(200, 203)]);
  const b = setOf([...common, ...ids(300, 301)]);
  const pair = newPair(a, b, {
    opener: { seen: { indexId: "bbbbbbbbbbbbbbbb", epoch: 0, sequence: 100 } },
    answerer: { seen: { indexId: "aaaaaaaaaaaaaaaa", epoch: 0, sequence: 90 } },
  });
  talk(pair);
  assert.equal(pair.trips, 2);
  assert.equal(pair.opener.machine.changesAfter, 90);
  assert.equal(pair.answerer.machine.changesAfter, 100);
  for (const item of ids(200, 203)) b.add(Uint8Array.fromHex(item));
  for (const item of ids(300, 301)) a.add(Uint8Array.fromHex(item));
  transfer(pair);
  assert.equal(pair.opener.machine.phase, "equal");
  assert.equal(pair.answerer.machine.phase, "equal");
});

Deno.test("Reconciler: a cursor that lied is found out by the roots, and all is compared", () => {
  const pair = newPair(setOf(ids(0, 500)), setOf(ids(100, 600)), {
    opener: { seen: { indexId: "bbbbbbbbbbbbbbbb", epoch: 0, sequence: 500 } },
    answerer: { seen: { indexId: "aaaaaaaaaaaaaaaa", epoch: 0, sequence: 500 } },
  });
  talk(pair);
  assert.equal(pair.opener.machine.changesAfter, 500);
  transfer(pair); // nothing is sent, so the check fails
  assert.equal(pair.opener.machine.exactness, "short");
  transfer(pair);
  assert.equal(pair.opener.machine.phase, "equal");
  assert.equal(pair.answerer.machine.phase, "equal");
});

for (
  const [what, seen] of [
    ["another index", { indexId: "cccccccccccccccc", epoch: 0, sequence: 1 }],
    ["another epoch", { indexId: "bbbbbbbbbbbbbbbb", epoch: 1, sequence: 1 }],
    ["what has not happened yet", { indexId: "bbbbbbbbbbbbbbbb", epoch: 0, sequence: 101 }],
  ] as const
) {
  Deno.test(`Reconciler: a cursor of ${what} does not hold`, () => {
    const pair = newPair(setOf(ids(0, 100)), setOf(ids(1, 101)), {
      opener: { seen },
      answerer: { seen: { indexId: "aaaaaaaaaaaaaaaa", epoch: 0, sequence: 1 } },
    });
    talk(pair);
    assert.equal(pair.opener.machine.changesAfter, undefined);
    transfer(pair);
    assert.equal(pair.opener.machine.phase, "equal");
  });
}

/** A view whose digests hide a difference in some comparisons, as two equal short names would. */
const FALSE_DIGEST = new Uint8Array(32);

function blind(set: SummarySet, hidden: number): SummaryView {
  let looks = 0;
  return {
    root: () => set.root(),
    count: (prefix) => set.count(prefix),
    items: (prefix) => set.items(prefix),
    after: (after, limit) => set.after(after, limit),
    // The top is looked at once in each comparison; the first `hidden` find nothing below it.
    children: (prefix) => {
      if (prefix === "0") looks++;
      return set.children(prefix).map((child) => looks <= hidden && child ? FALSE_DIGEST : child);
    },
  };
}

Deno.test("Reconciler: what short digests hid is found by full ones, and what they hid by a list", () => {
  for (const [hidden, exactness] of [[1, "full"], [2, "list"]] as const) {
    const common = ids(0, 9000);
    const [a, b] = [setOf([...common, ...ids(9000, 9050)]), setOf([...common, ...ids(9100, 9150)])];
    const views = [blind(a, hidden), blind(b, hidden)];
    const pair = newPair(a, b, {
      opener: { view: () => views[0]! },
      answerer: { view: () => views[1]! },
    });
    talk(pair);
    for (let round = 0; round < 4; round++) {
      if (pair.opener.machine.phase === "transfer") transfer(pair);
    }
    assert.equal(pair.opener.machine.phase, "equal");
    assert.equal(pair.answerer.machine.phase, "equal");
    assert.equal(pair.opener.machine.exactness, exactness);
  }
});

Deno.test("Reconciler: a side that stores nothing ends unequal after the list, not in a circle", () => {
  const pair = newPair(setOf(ids(0, 3000)), setOf(ids(1500, 4000)));
  talk(pair);
  let rounds = 0;
  while (pair.opener.machine.phase === "transfer") {
    rounds++;
    for (const { lacks, machine } of [pair.opener, pair.answerer]) {
      lacks.length = 0;
      machine.applied({ changed: false });
    }
    talk(pair);
  }
  assert.equal(rounds, 3);
  assert.equal(pair.opener.machine.phase, "unequal");
  assert.equal(pair.answerer.machine.phase, "unequal");
});

Deno.test("Reconciler: roots of sides that changed meanwhile prove nothing, and are not compared again", () => {
  const pair = newPair(setOf(ids(0, 300)), setOf(ids(100, 400)));
  talk(pair);
  pair.opener.set.add(Uint8Array.fromHex(id(77_777)));
  transfer(pair, true);
  assert.equal(pair.opener.machine.phase, "changed");
  assert.equal(pair.answerer.machine.phase, "changed");
});

Deno.test("Reconciler: changes while it talks cost nothing but themselves", () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat(9)), (numbers) => {
      const pair = newPair(setOf(ids(0, 2000)), setOf(ids(200, 2300)));
      let next = 50_000;
      while (pair.opener.out.length + pair.answerer.out.length > 0) {
        for (const [from, to] of [[pair.opener, pair.answerer], [pair.answerer, pair.opener]]) {
          for (const message of from!.out.splice(0)) {
            to!.machine.receive(message);
            for (let n = numbers.next().value; n > 0; n--) {
              to!.set.add(Uint8Array.fromHex(id(next++)));
              to!.set.delete(Uint8Array.fromHex(id(next % 2500)));
            }
          }
        }
      }
      assert.equal(pair.opener.machine.phase, "transfer");
      assert.equal(pair.answerer.machine.phase, "transfer");
    }),
    { numRuns: 8 },
  );
});

Deno.test("Reconciler: the newer horizon is both sides'", () => {
  const common = ids(0, 300);
  const old = ids(300, 310); // tombstones that the opener still has
  const asked: bigint[] = [];
  for (const [opener, answerer] of [[0n, 500n], [500n, 0n]] as const) {
    const full = setOf([...common, ...old]);
    const cut = setOf(common);
    const view = (horizon: bigint) => {
      asked.push(horizon);
      return horizon >= 500n ? cut : full;
    };
    const pair = newPair(full, full, {
      opener: { horizon: opener, view },
      answerer: { horizon: answerer, view },
    });
    talk(pair);
    if (pair.opener.machine.phase === "transfer") transfer(pair);
    assert.equal(pair.opener.lacks.length + pair.answerer.lacks.length, 0);
    assert.equal(pair.opener.machine.phase, "equal");
    assert.equal(pair.answerer.machine.phase, "equal");
  }
  assert.ok(asked.every((horizon) => horizon === 0n || horizon === 500n));
});

Deno.test("Reconciler: a horizon that would hide deletions is refused", () => {
  for (const [opener, answerer] of [[2000n, 0n], [0n, 2000n]] as const) {
    const pair = newPair(setOf(ids(0, 30)), setOf(ids(0, 40)), {
      opener: { horizon: opener },
      answerer: { horizon: answerer },
    });
    assert.throws(() => talk(pair), (error) => isKind(error, "invalid_argument"));
  }
});
