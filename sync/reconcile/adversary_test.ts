/** A peer that lies: the comparison ends, with an error or without, within its bound. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { RECONCILE_ITEMS_PER_MESSAGE, RECONCILE_SPARE_MESSAGES } from "../../core/limits.ts";
import { SummarySet } from "../../core/summary/summary_set.ts";
import { newSide } from "../../test/helpers/reconcile_pair.ts";
import type { Side } from "../../test/helpers/reconcile_pair.ts";
import { encodeTo } from "./encode.ts";
import type { Answer, ChildDigests, PeerState, ReconcileMessages } from "./messages.ts";

const COUNT = 3000;

function id(n: number, prefix = ""): Bytes {
  const hex = prefix + createHash("sha256").update(String(n)).digest("hex");
  return Uint8Array.fromHex(hex.slice(0, 32));
}

function setOf(count: number, prefix = ""): SummarySet {
  return SummarySet.of(concat(Array.from({ length: count }, (_, n) => id(n, prefix))));
}

const theirState: PeerState = {
  indexId: "bbbbbbbbbbbbbbbb",
  epoch: 0,
  sequence: 9,
  count: 5000,
  horizon: 0n,
  root: new Uint8Array(32),
  seen: undefined,
};

/** A side with 3,000 items that has heard of a root which is not its own, and what it then hears. */
function victim(
  role: "opener" | "answerer",
  set = setOf(COUNT),
): { side: Side; says: ReconcileMessages } {
  const side = newSide(role, set);
  const says = encodeTo((message) => side.machine.receive(message));
  if (role === "opener") says.state({ state: theirState });
  else says.open({ namespace: "default", scope: "main", state: theirState });
  side.out.length = 0;
  return { side, says };
}

/** Speaks until it is refused or all is settled; tells after how many messages. */
function spokenTo(side: Side, speak: () => void, limit: number): number {
  for (let spoken = 0; spoken < limit; spoken++) {
    if (side.machine.phase !== "comparing") return spoken;
    try {
      speak();
    } catch (error) {
      assert.ok(error instanceof CacheError && error.kind === "invalid_argument", String(error));
      return spoken;
    }
  }
  return limit;
}

const BOUND = RECONCILE_SPARE_MESSAGES +
  Math.ceil((COUNT + theirState.count) / RECONCILE_ITEMS_PER_MESSAGE);

const garbage: ChildDigests = Array.from({ length: 16 }, () => new Uint8Array(8).fill(0xee));
const group = (answer: Answer): Answer[] => Array.from({ length: 16 }, () => answer);

for (const role of ["opener", "answerer"] as const) {
  Deno.test(`Reconciler: endless NODES end, as the ${role}`, () => {
    const { side, says } = victim(role);
    const groups = [group(garbage)];
    const spoken = spokenTo(side, () => says.nodes({ exactness: "short", groups }), 10 * BOUND);
    assert.ok(spoken <= BOUND, `${spoken} messages`);
  });

  Deno.test(`Reconciler: endless NODES below 256 ids that share 120 bits end, as the ${role}`, () => {
    const { side, says } = victim(role, setOf(2000, "a".repeat(30)));
    const groups = [group(garbage)];
    const spoken = spokenTo(side, () => says.nodes({ exactness: "short", groups }), 10 * BOUND);
    assert.ok(spoken > 10 && spoken <= BOUND, `${spoken} messages`);
  });

  Deno.test(`Reconciler: a list without an end ends, as the ${role}`, () => {
    const { side, says } = victim(role);
    let next = 0;
    const spoken = spokenTo(side, () => {
      const tags = [(++next).toString(16).padStart(12, "0")];
      says.list({ exactness: "short", last: false, tags });
    }, 10 * BOUND);
    assert.ok(spoken <= BOUND, `${spoken} messages`);
  });

  Deno.test(`Reconciler: what comes unasked is refused, as the ${role}`, () => {
    const exactness = "short";
    const attacks: ((says: ReconcileMessages) => void)[] = [
      (says) => says.open({ namespace: "default", scope: "main", state: theirState }),
      (says) => says.state({ state: theirState }),
      (says) => says.nodes({ exactness, groups: Array.from({ length: 300 }, () => group("same")) }),
      (says) => says.nodes({ exactness: "full", groups: [group("same")] }),
      (says) => says.leaf({ exactness, leaves: [[]] }),
      (says) => says.want({ exactness, wanted: [true] }),
      (says) => says.check({ exactness, changed: false, count: 0, root: new Uint8Array(32) }),
      (says) => says.list({ exactness: "list", last: true, tags: [] }),
    ];
    for (const [at, attack] of attacks.entries()) {
      const { side, says } = victim(role);
      assert.throws(() => attack(says), CacheError, `attack ${at}`);
      assert.equal(side.machine.phase, "comparing");
    }
  });
}

Deno.test("Reconciler: a map that wants more or less than was offered is refused", () => {
  const one: Answer[] = [garbage, ...group("same").slice(1)];
  for (const by of [-1, 1]) {
    for (const [answers, offered] of [[group(garbage), COUNT], [one, setOf(COUNT).count("0")]]) {
      const { side, says } = victim("opener");
      says.nodes({ exactness: "short", groups: [answers as Answer[]] });
      assert.ok(side.out.length > 0);
      const wanted = Array.from({ length: offered as number + by }, () => true);
      assert.throws(() => says.want({ exactness: "short", wanted }), CacheError);
    }
  }
});

Deno.test("Reconciler: full tags that are not of their leaf are refused", () => {
  const { side, says } = victim("opener", setOf(20));
  says.nodes({ exactness: "short", groups: [group("same")] });
  side.machine.applied({ changed: false });
  says.check({ exactness: "short", changed: false, count: 9, root: new Uint8Array(32) });
  assert.equal(side.machine.exactness, "full");
  says.nodes({ exactness: "full", groups: [group("tags")] });
  const leaves = Array.from({ length: 16 }, () => ["f".repeat(32)]);
  assert.throws(() => says.leaf({ exactness: "full", leaves }), CacheError);
});

Deno.test("Reconciler: a peer that says all is the same is found out by the roots", () => {
  const { side, says } = victim("opener");
  let rounds = 0;
  for (const exactness of ["short", "full"] as const) {
    says.nodes({ exactness, groups: [group("same")] });
    side.machine.applied({ changed: false });
    says.check({ exactness, changed: false, count: 9, root: new Uint8Array(32) });
    rounds++;
  }
  says.list({ exactness: "list", last: true, tags: [] });
  assert.equal(side.lacks.length, COUNT);
  side.machine.applied({ changed: false });
  says.check({ exactness: "list", changed: false, count: 9, root: new Uint8Array(32) });
  assert.equal(rounds, 2);
  assert.equal(side.machine.phase, "unequal");
});

Deno.test("Reconciler: random messages end it within its bound, and never with another error", () => {
  const digest = fc.constantFrom(undefined, new Uint8Array(8), new Uint8Array(8).fill(255));
  const digests = fc.array(digest, { minLength: 16, maxLength: 16 })
    .filter((all) => all.some((one) => one !== undefined));
  const answer = fc.oneof(fc.constantFrom<Answer>("same", "tags"), digests);
  const tags = fc.uniqueArray(fc.nat(2 ** 20), { maxLength: 40 }).map((numbers) =>
    numbers.map((number) => number.toString(16).padStart(12, "0")).sort()
  );
  const exactness = "short" as const;
  const attack: fc.Arbitrary<(says: ReconcileMessages) => void> = fc.oneof(
    fc.array(fc.array(answer, { minLength: 16, maxLength: 16 }), { minLength: 1, maxLength: 3 })
      .map((groups) => (says: ReconcileMessages) => says.nodes({ exactness, groups })),
    fc.array(tags, { minLength: 1, maxLength: 4 })
      .map((leaves) => (says: ReconcileMessages) => says.leaf({ exactness, leaves })),
    fc.array(fc.boolean(), { minLength: 1, maxLength: 30 })
      .map((wanted) => (says: ReconcileMessages) => says.want({ exactness, wanted })),
    tags.map((all) => (says: ReconcileMessages) => says.list({ exactness, last: true, tags: all })),
  );
  const set = setOf(COUNT);
  let longest = 0;
  fc.assert(
    fc.property(
      fc.constantFrom("opener", "answerer"),
      fc.infiniteStream(attack),
      (role, attacks) => {
        const { side, says } = victim(role, set);
        const spoken = spokenTo(side, () => attacks.next().value(says), 10 * BOUND);
        longest = Math.max(longest, spoken);
        assert.ok(spoken <= BOUND, `${spoken} messages`);
      },
    ),
    { numRuns: 150 },
  );
  assert.ok(longest > 1, "no attack got anywhere");
});

Deno.test("Reconciler: bytes of an honest talk with one of them bent end it, or not, but end it", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (which, at, bend) => {
      const sides = [newSide("opener", setOf(500)), newSide("answerer", setOf(700, "5"))];
      let messages = 0;
      try {
        while (sides[0]!.out.length + sides[1]!.out.length > 0 && messages < BOUND) {
          for (const [from, to] of [[0, 1], [1, 0]] as const) {
            for (const message of sides[from]!.out.splice(0)) {
              if (messages++ === which % 8) message[at % message.length]! ^= bend;
              sides[to]!.machine.receive(message);
            }
          }
        }
      } catch (error) {
        assert.ok(error instanceof CacheError, String(error));
      }
      assert.ok(messages < BOUND, `${messages} messages`);
    }),
    { numRuns: 60 },
  );
});
