/** Pages of the build tools, and the French README: what they show is what the program says. */
import assert from "node:assert/strict";
import { planOf } from "../../app/setup/plan.ts";
import { linesToPrint } from "../../app/setup/report.ts";
import { TOOL_NAMES } from "../../app/tools/build_tool.ts";
import type { ToolName } from "../../app/tools/build_tool.ts";
import { TOOLS } from "../../app/tools/tool_table.ts";
import { NPM } from "../../tools/install.ts";
import { MAVEN_VERSION } from "../../tools/maven.ts";
import { ROOT } from "../helpers/paths.ts";

const read = (path: string) => Deno.readTextFileSync(`${ROOT}/${path}`);

const ADDRESS = {
  url: "http://127.0.0.1:8080",
  namespace: "default",
  token: "TOKEN",
  write: true,
};
const USER = {
  home: "~",
  config: "~/.config",
  env: () => undefined,
  exists: () => false,
};

for (const name of TOOL_NAMES) {
  Deno.test(`docs/tools/${name}.md shows the settings that setup prints`, () => {
    const text = read(`docs/tools/${name}.md`);
    const plan = planOf(TOOLS[name], ADDRESS, USER);
    const printed = linesToPrint([{ plan, token: undefined, files: [], dryRun: true }]);
    assert.ok(text.includes(`\`\`\`text\n${printed}\n\`\`\`\n`), printed);
    assert.ok(text.includes(`./vitte-remote-cache setup ${name} --write`));
  });
}

/** Which program a page must say that it was tried with, as it is installed for the tests. */
const TRIED: Partial<Record<ToolName, string>> = {
  maven: `Maven ${MAVEN_VERSION}, the extension ${extensionVersion()}`,
  metro: `Metro ${NPM.metro}`,
  moon: `moon ${NPM["@moonrepo/cli"]}`,
  nx: `Nx ${NPM.nx}`,
  rush: `Rush ${NPM["@microsoft/rush"]}`,
  turborepo: `turbo ${NPM.turbo}`,
};
/** Pages of tools that no test can run: they say so. */
const NOT_TRIED: readonly ToolName[] = ["please"];

function extensionVersion(): string {
  const { repository } = TOOLS.maven.settings(ADDRESS, USER);
  return /<version>(.*)<\/version>/.exec(repository[0]!.lines.join())![1]!;
}

for (const name of TOOL_NAMES) {
  Deno.test(`docs/tools/${name}.md says with what it was tried, and by which tests`, () => {
    const text = read(`docs/tools/${name}.md`).replaceAll("\n", " ");
    const tests = [...text.matchAll(/`(test\/[\w/]+\.ts)`/g)].map((match) => match[1]!);
    for (const path of tests) assert.ok(Deno.statSync(`${ROOT}/${path}`).isFile, path);
    if (NOT_TRIED.includes(name)) return assert.match(text, /not a build with/);
    assert.ok(text.includes(TRIED[name] ?? ""), TRIED[name]);
    if (name === "go") return;
    assert.ok(tests.includes(`test/interop/${name}_test.ts`), "a test with the real tool");
  });
}

Deno.test("docs/tools: every tool has a page, every page a tool, and both READMEs lead to all", () => {
  const pages = [...Deno.readDirSync(`${ROOT}/docs/tools`)].map(({ name }) => name).sort();
  assert.deepEqual(pages, TOOL_NAMES.map((name) => `${name}.md`).sort());
  for (const readme of ["README.md", "README.fr.md"]) {
    for (const page of pages) assert.ok(read(readme).includes(`(docs/tools/${page})`), page);
  }
});

/** Code blocks without remarks, which are in the language of the page. */
function code(text: string): string[] {
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].map(([, language, body]) =>
    `${language}\n${body!.split("\n").map((line) => line.replace(/\s+# .*$/, "")).join("\n")}`
  );
}

function links(text: string): string[] {
  return [...text.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1]!)
    .filter((target) => !/^README/.test(target));
}

Deno.test("README.fr.md has the code, the links and the headings of README.md, in its order", () => {
  const [english, french] = [read("README.md"), read("README.fr.md")];
  assert.ok(code(english).length >= 7);
  assert.deepEqual(code(french), code(english));
  assert.deepEqual(links(french), links(english));
  const headings = (text: string) =>
    [...text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ /gm)].map(([mark]) => mark);
  assert.deepEqual(headings(french), headings(english));
});

Deno.test("README.fr.md names the same commands, options and variables in its prose", () => {
  const named = (text: string) =>
    new Set(
      [...text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`]+)`/g)].map((m) => m[1]!),
    );
  assert.deepEqual([...named(read("README.fr.md"))].sort(), [...named(read("README.md"))].sort());
});
