import assert from "node:assert/strict";
import fc from "fast-check";
import { VERBS } from "../core/policy.ts";
import type { Principal, Verb } from "../core/policy.ts";
import { decide, keepScore } from "./decide.ts";

function principal(verbs: readonly Verb[], namespaces: readonly string[]): Principal {
  return {
    id: "0".repeat(16),
    name: "ci",
    verbs,
    namespaces,
    scope: "main",
    readScopes: ["main"],
    expires: undefined,
  };
}

// verbs of the token, its namespaces, what is asked, where (- is the whole store) → the verdict
const TABLE = `
read            | a     | read       | a | yes
read            | a     | read       | b | permission_denied
read            | a     | read       | - | permission_denied
read            | a,b   | read       | b | yes
read            | *     | read       | b | yes
read            | *     | read       | - | yes
read            | a     | write      | a | permission_denied
read            | *     | admin      | - | permission_denied
read            | *     | metrics    | - | permission_denied
write           | a     | write      | a | yes
write           | a     | read       | a | permission_denied
write           | a     | write      | b | permission_denied
read,write      | a     | write      | a | yes
read,write      | a     | invalidate | a | permission_denied
invalidate      | a     | invalidate | a | yes
invalidate      | a     | invalidate | - | permission_denied
invalidate      | *     | invalidate | - | yes
metrics         | a     | metrics    | - | yes
metrics         | a     | read       | a | permission_denied
replicate       | a     | replicate  | a | yes
replicate       | a     | replicate  | b | permission_denied
replicate       | *     | replicate  | - | yes
admin           | *     | admin      | - | yes
admin           | *     | read       | a | yes
admin           | a     | write      | b | yes
admin           | a     | metrics    | - | yes
nobody          |       | read       | a | unauthenticated
nobody          |       | admin      | - | unauthenticated
`;

Deno.test("decide() gives the verdicts of the table, each refusal with a reason", () => {
  const rows = TABLE.trim().split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  assert.equal(rows.length, 28);
  for (const row of rows) {
    const [verbs, namespaces, verb, where, verdict] = row as [string, string, Verb, string, string];
    const who = verbs === "nobody"
      ? undefined
      : principal(verbs.split(",") as Verb[], namespaces.split(","));
    const decision = decide({ principal: who, verb, namespace: where === "-" ? undefined : where });
    assert.equal(decision.allow ? "yes" : decision.kind, verdict, row.join(" "));
    if (!decision.allow) assert.match(decision.reason, /^Cannot \w+.*: .+[^.]$/);
  }
});

Deno.test("decide() never allows more than verbs and namespaces say, unless admin", () => {
  const names = fc.constantFrom("a", "b", "c");
  fc.assert(fc.property(
    fc.subarray([...VERBS]),
    fc.subarray(["a", "b"]),
    fc.constantFrom(...VERBS),
    names,
    (verbs, namespaces, verb, namespace) => {
      const { allow } = decide({ principal: principal(verbs, namespaces), verb, namespace });
      const here = verb === "metrics" || namespaces.includes(namespace);
      assert.equal(allow, verbs.includes("admin") || (verbs.includes(verb) && here));
    },
  ));
});

Deno.test("decide() names token, deed and namespace in its reason", () => {
  const refused = decide({ principal: principal(["read"], ["a"]), verb: "read", namespace: "b" });
  assert.ok(!refused.allow);
  assert.equal(refused.reason, 'Cannot read in namespace "b": token "ci" is for "a"');
  const who = principal(["invalidate"], ["a", "b"]);
  const all = decide({ principal: who, verb: "invalidate", namespace: undefined });
  assert.ok(!all.allow);
  assert.equal(
    all.reason,
    'Cannot invalidate the whole store: token "ci" is for "a", "b", want "*"',
  );
});

Deno.test("keepScore() keeps what was used later, and the smaller of two used alike", () => {
  const now = 1_000_000;
  const facts = { size: 1000, created: 0, used: 0 };
  fc.assert(fc.property(fc.nat(999_999), fc.nat(1e9), (used, size) => {
    assert.ok(keepScore({ ...facts, used: used + 1 }, now) > keepScore({ ...facts, used }, now));
    assert.ok(keepScore({ ...facts, size }, now) > keepScore({ ...facts, size: size + 1000 }, now));
  }));
  assert.equal(keepScore({ ...facts, used: now + 500 }, now), 0);
  assert.equal(keepScore({ ...facts, created: now }, now), 0);
  assert.equal(keepScore({ size: 1024 * 1024, created: 0, used: 0 }, now), -2 * now);
});
