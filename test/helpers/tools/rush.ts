/** Real Rush: a write that is refused would end `rush build` with exit code 1. */
import assert from "node:assert/strict";
import { ROOT } from "../paths.ts";
import { NPM, npmPackage } from "../../../tools/install.ts";
import { textOf, writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";
import { setUpTool } from "../tool_setup.ts";

const PACKAGE = "@microsoft/rush";

function filesOf(input: string): Record<string, string> {
  const operations = [{ operationName: "build", outputFolderNames: ["lib"] }];
  return {
    "rush.json": JSON.stringify({
      rushVersion: NPM[PACKAGE],
      pnpmVersion: "9.15.9",
      nodeSupportedVersionRange: ">=16",
      projects: [{ packageName: "app", projectFolder: "app" }],
    }),
    "app/package.json": JSON.stringify({
      name: "app",
      version: "1.0.0",
      scripts: { build: "mkdir -p lib && cp in.txt lib/out.txt" },
    }),
    "app/config/rush-project.json": JSON.stringify({ operationSettings: operations }),
    "app/in.txt": input,
    ".gitignore": "node_modules\ntemp\nlib\n.rush\n*.log\nrush-logs\n",
  };
}

/** As a project in a folder of its own uses it. */
export const rush: RealTool = {
  tool: "rush",
  hit: /"app" was restored from the build cache/,
  miss: /"app" completed successfully(?![^]*restored from)/,
  async build(home, cache, input = "hello\n") {
    const folder = await npmPackage(PACKAGE, NPM[PACKAGE]);
    const { user, words: shell, repository } = await setUpTool("rush", home, cache);
    await writeFiles(home, { ...filesOf(input), ...repository });
    const who = ["-c", "user.email=test@example.com", "-c", "user.name=test"];
    const env = {
      // Its package manager is fetched once.
      RUSH_GLOBAL_FOLDER: `${ROOT}/.cache/rush`,
      HOME: user,
    };
    const program = `${folder}/node_modules/.bin/rush`;
    for (
      const words of [
        ["git", "init", "-q"],
        [...shell, program, "update"],
        ["git", "add", "-A"],
        ["git", ...who, "commit", "-qm", "start"],
      ]
    ) {
      const ran = await run(words, { cwd: home, env });
      assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    }
    const ran = await run([...shell, program, "build", "--verbose"], { cwd: home, env });
    const said = ran.stdout + ran.stderr;
    return { code: ran.code, said, out: await textOf(`${home}/app/lib/out.txt`) };
  },
};
