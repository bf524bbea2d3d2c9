import assert from "node:assert/strict";
import { CacheError } from "../core/errors.ts";
import { fakeEnvironment } from "../test/helpers/fake_environment.ts";
import { Output, table } from "./output.ts";

Deno.test("Output.result prints one line of JSON, or text that ends its line", async () => {
  const cases = [["text", "text\n"], ["two\nlines\n", "two\nlines\n"], ["", ""]] as const;
  for (const [text, printed] of cases) {
    const plain = fakeEnvironment();
    await new Output(plain).result({ a: 1 }, text);
    assert.deepEqual([plain.out, plain.err], [printed, ""]);
    const machine = fakeEnvironment();
    await new Output(machine, { json: true }).result({ a: "x\ny" }, text);
    assert.deepEqual([machine.out, machine.err], ['{"a":"x\\ny"}\n', ""]);
  }
});

Deno.test("Output keeps remarks from machines, but neither log lines nor warnings nor errors", () => {
  for (const json of [false, true]) {
    const environment = fakeEnvironment();
    const output = new Output(environment, { json });
    output.note("a remark");
    output.log("a line");
    output.warn("careful");
    output.error("Cannot", "do this\nand that");
    assert.equal(environment.out, "");
    assert.equal(
      environment.err,
      (json ? "" : "vitte-remote-cache: a remark\n") + [
        "vitte-remote-cache: a line",
        "vitte-remote-cache: warning: careful",
        "vitte-remote-cache: error: Cannot",
        "vitte-remote-cache: hint: do this",
        "vitte-remote-cache: hint: and that",
        "",
      ].join("\n"),
    );
  }
});

Deno.test("Output.failure says kind, message and hint to a machine, and to a person as well", async () => {
  const error = new CacheError("conflict", "Cannot do it", { hint: "try later", cause: "why" });
  const machine = fakeEnvironment();
  await new Output(machine, { json: true }).failure(error);
  assert.deepEqual(JSON.parse(machine.out), {
    error: { kind: "conflict", message: "Cannot do it", hint: "try later" },
  });
  const person = fakeEnvironment();
  await new Output(person).failure(error);
  assert.equal(person.out, "");
  assert.equal(
    person.err,
    "vitte-remote-cache: error: Cannot do it\nvitte-remote-cache: hint: try later\n",
  );
  assert.equal(machine.err, person.err);
});

Deno.test("Output.failure knows what to do about common kinds, unless the error knows better", async () => {
  for (const kind of ["unauthenticated", "permission_denied", "unavailable"] as const) {
    const without = fakeEnvironment();
    await new Output(without).failure(new CacheError(kind, "x"));
    assert.match(without.err, /hint: /);
    const own = fakeEnvironment();
    await new Output(own).failure(new CacheError(kind, "x", { hint: "mine" }));
    assert.equal(own.err.match(/hint: .*/g)!.join(), "hint: mine");
  }
  const silent = fakeEnvironment();
  await new Output(silent).failure(new CacheError("internal", "x"));
  assert.equal(silent.err, "vitte-remote-cache: error: x\n");
});

Deno.test("table sets columns two blanks apart, numbers to the right, nothing behind a line", () => {
  const rows = [["a", "5", "x"], ["longer", "1,234", ""], ["é\u{1f600}", "10.5 KiB", "y"]];
  assert.equal(
    table(["KEY", "SIZE", "Z"], rows),
    [
      "KEY         SIZE  Z",
      "a              5  x",
      "longer     1,234",
      "é\u{1f600}      10.5 KiB  y",
    ].join("\n"),
  );
  assert.equal(table(["KEY", "SIZE"], []), "KEY  SIZE");
});

Deno.test("table shows control characters of a cell, and lets none through", () => {
  const text = table(["KEY", "N"], [["a\nb\x1b[31m\u009b\u2028\u202e", "1"]]);
  assert.equal(text.split("\n").length, 2, JSON.stringify(text));
  // deno-lint-ignore no-control-regex
  assert.match(text.replace("\n", ""), /^[^\x00-\x1f\x7f-\x9f\u2028-\u202e]*$/);
});
