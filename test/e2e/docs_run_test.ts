/** What README and docs/tools tell people to type, typed. */
import assert from "node:assert/strict";
import { TOOL_NAMES } from "../../app/tools/build_tool.ts";
import { ROOT } from "../helpers/paths.ts";
import { tempDir } from "../helpers/temp.ts";
import { install, PROGRAM, Terminal } from "../helpers/terminal.ts";

/** All lines of shell examples, without remarks. */
function lines(path: string): string[] {
  const text = Deno.readTextFileSync(`${ROOT}/${path}`);
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!);
  return blocks.join("\n").replaceAll("\\\n", " ").replaceAll("…", "").split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim()).filter((line) => line !== "");
}

/** Those that call this program or set a variable. */
function commands(path: string): string[] {
  return lines(path).filter((line) => /^export |\.\/vitte-remote-cache /.test(line));
}

/**
 * Tests that read code from a page and run it, by the language of the code: in shell all of it, here
 * only what needs no tool. What is `text` is the output of setup, see docs_tools_test.ts.
 */
const RUN_ELSEWHERE: Readonly<Record<string, string>> = {
  "go.md sh": "test/interop/go_docs_test.ts",
  "gradle.md groovy": "test/helpers/tools/gradle.ts",
};

interface Desk extends AsyncDisposable {
  readonly terminal: Terminal;
  readonly url: string;
}

/** An empty home with a running server; the working folder has what the examples speak of. */
async function desk(home: string): Promise<Desk> {
  await install(home);
  await Deno.symlink(`${home}/bin/${PROGRAM}`, `${home}/${PROGRAM}`);
  await Deno.writeTextFile(`${home}/FILE`, "some bytes\n");
  await Deno.writeTextFile(`${home}/nx.json`, "{}\n");
  for (const name of ["PATH", "src"]) {
    await Deno.mkdir(`${home}/${name}`);
    await Deno.writeTextFile(`${home}/${name}/file`, "more bytes\n");
  }
  const terminal = new Terminal(home);
  const server = await terminal.start(`${PROGRAM} serve --port 0`, /admin.*\n/);
  const url = (await Deno.readTextFile(`${home}/.cache/vitte-remote-cache/address`)).trim();
  return { terminal, url, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

Deno.test("README: every command that it shows works, in its order, in an empty home", async () => {
  await using folder = await tempDir();
  await using at = await desk(folder.path);
  const variables: string[] = [];
  const lines = commands("README.md").map((line) =>
    line.replaceAll("http://127.0.0.1:8080", at.url)
  );
  assert.ok(lines.length >= 12, `${lines.length} commands`);
  for (const line of lines) {
    if (line.startsWith("export ")) variables.push(line);
    else await at.terminal.type([...variables, line].join("; "));
  }
  assert.equal(await Deno.readTextFile(`${folder.path}/FILE`), "some bytes\n");
  assert.match(await Deno.readTextFile(`${folder.path}/ci.token`), /^vrc_/);
});

Deno.test("docs/tools: code that is not run here is run by a test that reads it from the page", () => {
  const others = new Set<string>();
  for (const { name } of Deno.readDirSync(`${ROOT}/docs/tools`)) {
    const text = Deno.readTextFileSync(`${ROOT}/docs/tools/${name}`);
    for (const [, language] of text.matchAll(/^```(.+)$/gm)) {
      if (language !== "sh" && language !== "text") others.add(`${name} ${language}`);
    }
    const path = `docs/tools/${name}`;
    if (lines(path).length > commands(path).length) others.add(`${name} sh`);
  }
  assert.deepEqual([...others].sort(), Object.keys(RUN_ELSEWHERE));
  for (const [code, test] of Object.entries(RUN_ELSEWHERE)) {
    const [page, language] = code.split(" ");
    const text = Deno.readTextFileSync(`${ROOT}/${test}`);
    assert.ok(text.includes(`docs/tools/${page}`) && text.includes(`\`\`\`${language}`), test);
  }
});

Deno.test("docs/tools: every command that they show works", async (t) => {
  await using folder = await tempDir();
  await using at = await desk(folder.path);
  for (const name of TOOL_NAMES) {
    await t.step(name, async () => {
      const lines = commands(`docs/tools/${name}.md`);
      assert.ok(lines.length >= 3);
      for (const line of lines) await at.terminal.type(line);
    });
  }
});
