/** Real moon over Bazel's HTTP protocol, ActionResults as JSON. */
import assert from "node:assert/strict";
import { NPM, npmPackage } from "../../../tools/install.ts";
import { ROOT } from "../paths.ts";
import { textOf, writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";
import { setUpTool } from "../tool_setup.ts";

const PACKAGE = "@moonrepo/cli";

const WORKSPACE = 'projects: ["app"]\n';
const FILES = {
  "app/moon.yml": `tasks:
  build:
    command: "cp in.txt out.txt"
    inputs: ["in.txt"]
    outputs: ["out.txt"]
`,
};

/** The line of its page for the workspace's own file. */
async function linesOfPage(url: string): Promise<string> {
  const page = await Deno.readTextFile(`${ROOT}/docs/tools/moon.md`);
  const [, line] = /`(remote: \{ api: http, host: …[^`]+)`/.exec(page.replaceAll("\n", " ")) ?? [];
  assert.ok(line, "the page has a line for .moon/workspace.yml");
  return `${line.replace("…", `"${url}/bazel"`)}\n`;
}

/** As a checkout uses it. Its requests count as Bazel's. Under other words the workspace names the cache. */
export const moon: RealTool = {
  tool: "bazel",
  hit: /cached from remote/,
  miss: /1 completed(?![^]*cached from remote)/,
  // It asks in advance, and then leaves a cache alone that answers with these.
  shown: [
    "unavailable",
    "rate_limited",
    "quota_exceeded",
    "too_large",
    "token_expired",
    "token_revoked",
  ],
  async build(home, cache, input = "hello\n") {
    const folder = await npmPackage(PACKAGE, NPM[PACKAGE]);
    const { user, words } = await setUpTool("moon", home, cache);
    await writeFiles(home, {
      ...FILES,
      ".moon/workspace.yml": WORKSPACE + (cache.under ? await linesOfPage(cache.url) : ""),
      "app/in.txt": input,
    });
    const env = { HOME: user };
    const who = ["-c", "user.email=test@example.com", "-c", "user.name=test"];
    for (const git of [["init", "-q"], ["add", "-A"], [...who, "commit", "-qm", "start"]]) {
      const ran = await run(["git", ...git], { cwd: home, env });
      assert.equal(ran.code, 0, ran.stderr);
    }
    const program = `${folder}/node_modules/.bin/moon`;
    const ran = await run([...words, program, "run", "app:build"], { cwd: home, env });
    const said = ran.stdout + ran.stderr;
    return { code: ran.code, said, out: await textOf(`${home}/app/out.txt`) };
  },
};
