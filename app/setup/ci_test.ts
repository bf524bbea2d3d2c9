import assert from "node:assert/strict";
import { run } from "../../test/helpers/real_server.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { TOOL_NAMES } from "../tools/build_tool.ts";
import { TOOLS } from "../tools/tool_table.ts";
import { CI_SERVICES, ciSnippet } from "./ci.ts";

const ALL = TOOL_NAMES.map((name) => TOOLS[name]);
const WISH = { tools: ALL, url: "https://cache.example", namespace: "team" };

for (const service of CI_SERVICES) {
  const text = ciSnippet({ service, ...WISH });

  Deno.test(`CI snippet for ${service}: the commands for both tokens come first, with few rights`, () => {
    assert.match(text, /token create ci-main --allow read,write --namespace team > ci-main\.token/);
    assert.match(text, /token create ci-pr --allow read --namespace team > ci-pr\.token/);
  });

  Deno.test(`CI snippet for ${service}: the shell of both parts fills the token in everywhere`, async () => {
    const block = service === "github" ? /run: \|\n((?: {10,}.*\n)+)/g : /- \|\n((?: {6,}.*\n)+)/g;
    const scripts = [...text.matchAll(block)].map((match) => {
      const lines = match[1]!.trimEnd().split("\n");
      const indent = /^ */.exec(lines[0]!)![0].length;
      return lines.map((line) => line.slice(indent)).join("\n");
    });
    assert.equal(scripts.length, 2);
    const [writing, reading] = await Promise.all(scripts.map(runScript));
    for (const { name } of ALL) {
      const places: Record<string, string> = {
        go: "go-cacheprog --namespace team",
        moon: "/ns/team/bazel",
        // Its address is committed to the repository.
        rush: "Bearer the-token",
      };
      assert.ok(writing!.includes(places[name] ?? `/ns/team/${name}`), name);
    }
    assert.ok(writing!.split("the-token").length > ALL.length, writing);
    assert.doesNotMatch(writing!, /\$|VITTE_TOKEN\}/);
    assert.match(writing!, /cache\.push = true/);
    assert.match(reading!, /cache\.push = false/);
    assert.match(reading!, /read-only=true/);
    assert.match(reading!, /remote_upload_local_results=false/);
  });
}

/** Everything that the script leaves: variables, for this shell or for later steps, and files. */
async function runScript(script: string): Promise<string> {
  await using home = await tempDir();
  const env = { HOME: home.path, GITHUB_ENV: `${home.path}/github`, VITTE_TOKEN: "the-token" };
  const all = `set -eu\n${script}\nexport -p | grep -v -e HOME -e PWD | cat\n` +
    `unset VITTE_TOKEN\nfind "$HOME" -type f -exec cat {} +`;
  const { code, stdout, stderr } = await run(["sh", "-c", all], { env, cwd: home.path });
  assert.equal(code, 0, stderr);
  return stdout;
}
