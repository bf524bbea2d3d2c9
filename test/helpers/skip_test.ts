import assert from "node:assert/strict";
import { needProgram, requireOrSkip, skippable } from "./skip.ts";

/** Runs with `CI` set to a value, and puts the old one back. */
function withCi<T>(value: string | undefined, run: () => T): T {
  const before = Deno.env.get("CI");
  const set = (to: string | undefined) =>
    to === undefined ? Deno.env.delete("CI") : Deno.env.set("CI", to);
  set(value);
  try {
    return run();
  } finally {
    set(before);
  }
}

Deno.test("requireOrSkip lets a test run when nothing is missing, in CI too", () => {
  assert.equal(withCi("true", () => requireOrSkip({ name: "x" }, undefined)), true);
});

Deno.test("requireOrSkip answers false with a reason outside of CI", () => {
  assert.equal(
    withCi(undefined, () => requireOrSkip({ name: "(a test of the skip line)" }, "none needed")),
    false,
  );
});

Deno.test("requireOrSkip fails with name and reason where CI=true", () => {
  assert.throws(
    () => withCi("true", () => requireOrSkip({ name: "x" }, "no strace")),
    /SKIP x: no strace/,
  );
});

Deno.test("needProgram finds a shell and misses what does not exist", async () => {
  assert.equal(await needProgram("sh"), undefined);
  assert.equal(await needProgram("no-such-program"), "no-such-program is not installed");
});

let ran = false;
skippable("skippable runs its body when nothing is missing", { need: () => undefined }, () => {
  ran = true;
});
Deno.test("skippable ran the test registered just before", () => assert.ok(ran));
