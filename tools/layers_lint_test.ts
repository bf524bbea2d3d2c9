import assert from "node:assert/strict";
import plugin, { isOutside, projectPath, refusal } from "./layers_lint.ts";
import { MAY_IMPORT } from "./layers_table.ts";

/** The rule names reported for one file. */
function lint(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source).map((found) => found.id);
}

Deno.test("layers/imports refuses every pair of folders that the table does not name", () => {
  const folders = Object.keys(MAY_IMPORT).filter((area) => !area.endsWith(".ts"));
  for (const from of folders) {
    for (const to of folders) {
      const found = lint(`${from}/a.ts`, `import "../${to}/b.ts";`);
      const fine = from === to || MAY_IMPORT[from]!.includes(to);
      assert.deepEqual(found, fine ? [] : ["layers/imports"], `${from} → ${to}`);
    }
  }
});

Deno.test("layers/imports keeps the pairs that must never meet apart, whatever the table says", () => {
  for (
    const [from, to] of [["server", "client"], ["store", "index"], ["sync", "store"]] as const
  ) {
    assert.ok(refusal(`${from}/a.ts`, `../${to}/b.ts`), `${from} → ${to}`);
    assert.ok(refusal(`${to}/a.ts`, `../${from}/b.ts`), `${to} → ${from}`);
  }
  assert.ok(refusal("server/deep/er/a.ts", "../../../store/open.ts"));
  assert.match(refusal("core/a.ts", "../store/b.ts")!, /core may not import store/);
});

Deno.test("layers/imports sees static, type, re-export, dynamic, import type and worker forms", () => {
  const forms = [
    `import { a } from "../index/a.ts"; a();`,
    `import type { A } from "../index/a.ts"; export type B = A;`,
    `export * from "../index/a.ts";`,
    `export { a } from "../index/a.ts";`,
    `export const a = () => import("../index/a.ts");`,
    "export const a = () => import(`../index/a.ts`);",
    `export type A = import("../index/a.ts").A;`,
    `export const a = new URL("../index/a.ts", import.meta.url);`,
  ];
  for (const form of forms) assert.deepEqual(lint("store/a.ts", form), ["layers/imports"], form);
});

Deno.test("layers/imports lets tests, tools and benchmarks import all, and nobody import them", () => {
  for (const path of ["store/a_test.ts", "test/suites/a.ts", "bench/a.ts", "tools/a.ts"]) {
    assert.equal(refusal(path, "../index/a.ts"), undefined, path);
  }
  for (const target of ["../test/helpers/a.ts", "../bench/a.ts", "../tools/a.ts", "./a_test.ts"]) {
    assert.ok(refusal("app/a.ts", target), target);
  }
});

Deno.test("layers/imports lets only app/compose*.ts open stores", () => {
  assert.equal(refusal("app/compose.ts", "../store/open.ts"), undefined);
  assert.equal(refusal("app/compose_serve.ts", "../store/open.ts"), undefined);
  assert.ok(refusal("app/commands/get.ts", "../../store/open.ts"));
});

Deno.test("layers/imports keeps pure folders without I/O and unknown folders out", () => {
  assert.ok(refusal("codec/a.ts", "node:fs"));
  assert.equal(refusal("codec/a.ts", "node:zlib"), undefined);
  assert.equal(refusal("store/a.ts", "node:fs"), undefined);
  assert.ok(refusal("extra/a.ts", "../core/units.ts"));
  assert.ok(refusal("core/a.ts", "../../elsewhere/a.ts"));
});

Deno.test("layers/ambient refuses environment, time and chance outside their places", () => {
  const sources = [
    `Deno.env.get("A");`,
    `Deno["env"].get("A");`,
    `globalThis.Deno.env.get("A");`,
    `const { env } = Deno; env.get("A");`,
    `Date.now();`,
    `performance.now();`,
    `new Date();`,
    `Math.random();`,
  ];
  for (const source of sources) {
    assert.deepEqual(lint("store/a.ts", source), ["layers/ambient"], source);
    assert.deepEqual(lint("app/a.ts", source), [], source);
    assert.deepEqual(lint("store/a_test.ts", source), [], source);
  }
  assert.deepEqual(lint("core/clock.ts", "Date.now(); performance.now();"), []);
  assert.deepEqual(lint("core/clock.ts", `Deno.env.get("A");`), ["layers/ambient"]);
  assert.deepEqual(lint("store/a.ts", "new Date(0); Math.floor(1); Deno.open('a');"), []);
});

Deno.test("layers/ambient lets only cli.ts and tools end the process", () => {
  assert.deepEqual(lint("app/a.ts", "Deno.exit(1);"), ["layers/ambient"]);
  assert.deepEqual(lint("cli.ts", "Deno.exit(1);"), []);
  assert.deepEqual(lint("tools/a.ts", "Deno.exit(1);"), []);
});

Deno.test("layers/abort refuses abort listeners by hand", () => {
  const source = `s.addEventListener("abort", f);`;
  assert.deepEqual(lint("server/a.ts", source), ["layers/abort"]);
  assert.deepEqual(lint("app/a.ts", "s.onabort = f;"), ["layers/abort"]);
  assert.deepEqual(lint("core/abort.ts", source), []);
  assert.deepEqual(lint("server/a_test.ts", source), []);
  assert.deepEqual(lint("server/a.ts", `s.addEventListener("message", f);`), []);
});

Deno.test("layers/whole_blob refuses whole bodies where blobs flow", () => {
  for (const name of ["arrayBuffer", "text", "bytes", "blob", "json"]) {
    assert.deepEqual(lint("server/a.ts", `await r.${name}();`), ["layers/whole_blob"], name);
    assert.deepEqual(lint("server/a.ts", `await r?.${name}();`), ["layers/whole_blob"], name);
    assert.deepEqual(lint("app/a.ts", `await r.${name}();`), [], name);
  }
  assert.deepEqual(lint("server/a.ts", "Response.json(body); c.text('x'); info.bytes;"), []);
});

Deno.test("layers/whole_blob wants a reason beside every exception", () => {
  const at = (reason: string) => `// deno-lint-ignore layers/whole_blob${reason}\nf();`;
  assert.deepEqual(lint("server/a.ts", at("")), ["layers/whole_blob"]);
  assert.deepEqual(lint("server/a.ts", at(" -- ")), ["layers/whole_blob"]);
  assert.deepEqual(lint("server/a.ts", at(" -- the body is one problem")), []);
});

Deno.test("layers/drawer refuses file names that say nothing", () => {
  for (const name of ["utils", "helpers", "common", "misc", "types"]) {
    assert.deepEqual(lint(`core/${name}.ts`, "export {};"), ["layers/drawer"], name);
  }
  assert.deepEqual(lint("test/helpers/skip.ts", "export {};"), []);
  assert.deepEqual(lint("core/entry_types.ts", "export {};"), []);
});

Deno.test("layers/console refuses console in the product only", () => {
  assert.deepEqual(lint("app/a.ts", `console.log("a");`), ["layers/console"]);
  assert.deepEqual(lint("cli.ts", `console["error"]("a");`), ["layers/console"]);
  assert.deepEqual(lint("tools/a.ts", `console.log("a");`), []);
  assert.deepEqual(lint("app/a_test.ts", `console.log("a");`), []);
});

Deno.test("projectPath takes absolute, relative and foreign paths", () => {
  const here = new URL("../core/abort.ts", import.meta.url);
  assert.equal(projectPath(here.pathname), "core/abort.ts");
  assert.equal(projectPath(here.href), "core/abort.ts");
  assert.equal(projectPath("./core/abort.ts"), "core/abort.ts");
  assert.equal(projectPath("/elsewhere/core/abort.ts"), undefined);
  assert.equal(isOutside("core/abort.ts"), false);
});
