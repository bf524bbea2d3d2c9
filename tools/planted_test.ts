/** Mistakes planted in a small project: each must make a step of `deno task ok` fail. */
import assert from "node:assert/strict";
import { tempDir } from "../test/helpers/temp.ts";
import type { TempDir } from "../test/helpers/temp.ts";
import { ROOT } from "./run_steps.ts";
import { lintArgs, testArgs } from "./test_files.ts";

/** What the steps of the small project are made of. */
const COPIED = [
  "test/helpers/leaks.ts",
  "test/helpers/temp.ts",
  "tools/layers_lint.ts",
  "tools/layers_table.ts",
  "tools/leak_watch.ts",
];

async function project(files: Readonly<Record<string, string>>): Promise<TempDir> {
  const dir = await tempDir();
  const write = async (path: string, text: string) => {
    await Deno.mkdir(dir.join(path.replace(/[^/]*$/, "")), { recursive: true });
    await Deno.writeTextFile(dir.join(path), text);
  };
  const { unstable, lint, test } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  await write("deno.json", JSON.stringify({ unstable, lint, test }));
  for (const path of COPIED) await write(path, await Deno.readTextFile(`${ROOT}/${path}`));
  for (const [path, text] of Object.entries(files)) await write(path, text);
  return dir;
}

/** Runs one step in the small project, with the arguments that it has in ours. */
async function step(files: Readonly<Record<string, string>>, args: readonly string[]) {
  await using dir = await project(files);
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: dir.path,
    env: { NO_COLOR: "1" },
    stdin: "null",
  });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { success, said: text.decode(stdout) + text.decode(stderr) };
}

const OPENED: Readonly<Record<string, { open: string; close: string; name: RegExp }>> = {
  "a handle of node:fs": {
    open: `import { closeSync, openSync } from "node:fs"; const open = openSync("deno.json");`,
    close: `closeSync(open);`,
    name: /Leaked: \S+\/deno\.json/,
  },
  "a handle of SQLite": {
    open: `import { DatabaseSync } from "node:sqlite";
      const db = new DatabaseSync("a.sqlite"); db.exec("CREATE TABLE IF NOT EXISTS a (b)");`,
    close: `db.close();`,
    name: /Leaked: \S+\/a\.sqlite/,
  },
  "a handle of Deno": {
    open: `const file = Deno.openSync("deno.json");`,
    close: `file.close();`,
    name: /Leaks detected|Leaked: /,
  },
};

for (const [what, { open, close, name }] of Object.entries(OPENED)) {
  Deno.test(`The test steps fail when a test leaves ${what} open, and only then`, async () => {
    const [imported = "", ...rest] = open.startsWith("import") ? open.split(/(?<=;)/) : ["", open];
    const body = rest.join("");
    const test = (body: string) => `Deno.test("a", () => { ${body} });`;
    const beforeAll = (body: string) => `Deno.test.beforeAll(() => { ${body} });`;
    const run = (...parts: string[]) =>
      step({ "store/a_test.ts": [imported, ...parts].join("\n") }, testArgs(["store/a_test.ts"]));
    const left = {
      "in a test": await run(test(body)),
      "before all tests": await run(beforeAll(body), test("")),
    };
    for (const [place, { success, said }] of Object.entries(left)) {
      assert.equal(success, false, `${place}: ${said}`);
      assert.match(said, name);
    }
    const closed = await run(beforeAll(body + close), test(body + close));
    assert.equal(closed.success, true, closed.said);
  });
}

Deno.test("The lint step fails at a forbidden import, and only then", async () => {
  const files = (target: string) => ({
    "store/a.ts": `import { b } from "../${target}/b.ts";\nexport const a = b;\n`,
    [`${target}/b.ts`]: "export const b = 1;\n",
  });
  const args = lintArgs(["store/a.ts"]);
  const forbidden = await step(files("index"), args);
  assert.equal(forbidden.success, false, forbidden.said);
  assert.match(forbidden.said, /store may not import index/);
  const allowed = await step(files("codec"), args);
  assert.equal(allowed.success, true, allowed.said);
});
