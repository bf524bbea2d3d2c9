/** Real moon over Bazel's HTTP protocol, ActionResults as JSON: two checkouts, one cache. */
import assert from "node:assert/strict";
import { ROOT } from "../helpers/paths.ts";
import { run, startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

const PACKAGE = "@moonrepo/cli@2.5.5";

Deno.test("moon takes the second checkout's task from the cache", async () => {
  const moon = await installMoon();
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`);
  const build = async (name: string) => {
    const home = `${folder.path}/${name}`;
    await makeWorkspace(home, `${server.url}/bazel`);
    const ran = await run([moon, "run", "app:build"], {
      cwd: home,
      env: { CACHE_TOKEN: server.adminToken, HOME: `${folder.path}/nobody-${name}` },
    });
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    return { said: ran.stdout + ran.stderr, out: await Deno.readTextFile(`${home}/app/out.txt`) };
  };
  const first = await build("one");
  assert.ok(!first.said.includes("cached from remote"), first.said);
  const second = await build("two");
  assert.match(second.said, /cached from remote/);
  assert.equal(second.out, first.out);
  assert.equal(second.out, "hello\n");
});

async function makeWorkspace(home: string, host: string): Promise<void> {
  await Deno.mkdir(`${home}/.moon`, { recursive: true });
  await Deno.mkdir(`${home}/app`);
  const files: Record<string, string> = {
    ".moon/workspace.yml": `projects: ["app"]
remote:
  api: http
  host: "${host}"
  auth:
    token: CACHE_TOKEN
`,
    "app/moon.yml": `tasks:
  build:
    command: "cp in.txt out.txt"
    inputs: ["in.txt"]
    outputs: ["out.txt"]
`,
    "app/in.txt": "hello\n",
  };
  for (const [path, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${home}/${path}`, text);
  }
  const who = ["-c", "user.email=test@example.com", "-c", "user.name=test"];
  for (const words of [["init", "-q"], ["add", "-A"], [...who, "commit", "-qm", "start"]]) {
    const ran = await run(["git", ...words], { cwd: home });
    assert.equal(ran.code, 0, ran.stderr);
  }
}

/** Installs moon through npm, once a checkout; tells where its program is. */
async function installMoon(): Promise<string> {
  const home = `${ROOT}/.cache/moon`;
  const program = `${home}/node_modules/.bin/moon`;
  await Deno.mkdir(home, { recursive: true });
  await Deno.writeTextFile(`${home}/package.json`, '{"private":true}\n');
  const args = ["install", "--silent", "--prefix", home, PACKAGE];
  const installed = await run(["npm", ...args], { cwd: home });
  assert.equal(installed.code, 0, installed.stdout + installed.stderr);
  return program;
}
