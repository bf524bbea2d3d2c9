/** Real Nx. It fails over every answer that it does not expect, so this is the strictest of all. */
import { NPM, npmPackage } from "../../../tools/install.ts";
import { textOf, writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";
import { setUpTool } from "../tool_setup.ts";

const FILES = {
  "package.json": '{ "name": "workspace", "private": true }',
  "nx.json": JSON.stringify({
    targetDefaults: {
      build: { cache: true, inputs: ["{projectRoot}/in.txt"], outputs: ["{projectRoot}/out"] },
    },
    analytics: false,
  }),
};

function projectOf(meanwhile: string): string {
  const command = `${meanwhile}; mkdir -p app/out && cp app/in.txt app/out/out.txt`;
  return JSON.stringify({ name: "app", targets: { build: { command } } });
}

/** As a project in a folder of its own uses it. */
export const nx: RealTool = {
  tool: "nx",
  hit: /instead of running the command for 1 out of 1 tasks/,
  miss: /Successfully ran target build(?![^]*instead of running)/,
  async build(home, cache, input = "hello\n") {
    const folder = await npmPackage("nx", NPM.nx);
    const { user, words } = await setUpTool("nx", home, cache);
    await writeFiles(home, {
      ...FILES,
      "app/project.json": projectOf(cache.meanwhile ?? "true"),
      "app/in.txt": input,
    });
    await Deno.symlink(`${folder}/node_modules`, `${home}/node_modules`);
    const ran = await run([...words, `${home}/node_modules/.bin/nx`, "run", "app:build"], {
      cwd: home,
      env: {
        HOME: user,
        NX_DAEMON: "false",
        NX_NO_CLOUD: "true",
        NX_TUI: "false",
      },
    });
    const said = ran.stdout + ran.stderr;
    return { code: ran.code, said, out: await textOf(`${home}/app/out/out.txt`) };
  },
};
