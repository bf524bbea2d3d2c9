import assert from "node:assert/strict";
import { MUTABILITY, mutabilityOf } from "./mutability.ts";

Deno.test("mutabilityOf() is as each tool promises, and immutable for what nobody knows", () => {
  const replaceable = Object.keys(MUTABILITY).filter((name) =>
    mutabilityOf(name) === "replaceable"
  );
  assert.deepEqual(replaceable.sort(), [
    "bazel-ac",
    "ccache",
    "gradle",
    "kv",
    "maven",
    "metro",
    "plain",
    "please",
    "rush",
    "turborepo",
  ]);
  for (const name of ["nx", "tree", "exec", "go", "unheard-of", "toString", "__proto__"]) {
    assert.equal(mutabilityOf(name), "immutable", name);
  }
});
