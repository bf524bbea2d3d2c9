/** Real Turborepo, plain and with signed artifacts. */
import { NPM, npmPackage } from "../../../tools/install.ts";
import { textOf, writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";
import { setUpTool } from "../tool_setup.ts";

const WORKSPACE = {
  name: "workspace",
  private: true,
  packageManager: "npm@10.0.0",
  workspaces: ["packages/*"],
};
const FILES = {
  "package.json": JSON.stringify(WORKSPACE),
  "package-lock.json": '{ "lockfileVersion": 3, "packages": {} }',
};

function packageOf(meanwhile: string): string {
  const build = `${meanwhile}; mkdir -p out && cp in.txt out/out.txt`;
  return JSON.stringify({ name: "app", version: "1.0.0", scripts: { build } });
}

/** As a workspace in a folder of its own uses it, with signatures or without. */
export function turborepo(signature: boolean, args: readonly string[] = []): RealTool {
  return {
    tool: "turborepo",
    hit: /Cached: +1 cached, 1 total/,
    miss: /cache miss, executing[^]*Cached: +0 cached, 1 total/,
    shown: ["too_large", "token_expired", "token_revoked"],
    async build(home, cache, input = "hello\n") {
      const folder = await npmPackage("turbo", NPM.turbo);
      const { user, words } = await setUpTool("turborepo", home, cache);
      await writeFiles(home, {
        ...FILES,
        "packages/app/package.json": packageOf(cache.meanwhile ?? "true"),
        "packages/app/in.txt": input,
        "turbo.json": JSON.stringify({
          remoteCache: { signature },
          tasks: { build: { inputs: ["in.txt"], outputs: ["out/**"] } },
        }),
      });
      const program = `${folder}/node_modules/.bin/turbo`;
      const ran = await run([...words, program, "run", "build", ...args], {
        cwd: home,
        env: {
          HOME: user,
          TURBO_TELEMETRY_DISABLED: "1",
          ...(signature ? { TURBO_REMOTE_CACHE_SIGNATURE_KEY: "0123456789abcdef".repeat(2) } : {}),
        },
      });
      const said = ran.stdout + ran.stderr;
      return { code: ran.code, said, out: await textOf(`${home}/packages/app/out/out.txt`) };
    },
  };
}
