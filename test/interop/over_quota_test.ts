/** A real server with a quota that a build goes over: builds go on, and that is counted. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { RealTool } from "../helpers/real_builds.ts";
import { startServer } from "../helpers/real_server.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { gradle } from "../helpers/tools/gradle.ts";
import { nx } from "../helpers/tools/nx.ts";
import { rush } from "../helpers/tools/rush.ts";
import { turborepo } from "../helpers/tools/turborepo.ts";

const TOOLS: readonly RealTool[] = [nx, turborepo(true), gradle, rush];
/** More than the namespace may ever hold. */
const LARGE = 14_500_000;
const FILE = `[namespaces.default]\nmax-size = "10MiB"\n`;

Deno.test("builds go on when the store is over its quota", async (t) => {
  await using folder = await tempDir();
  await using roomy = await startServer(folder.join("roomy"));
  const file = folder.join("server.toml");
  await Deno.writeTextFile(file, FILE);
  await using full = await startServer(folder.join("full"), { args: ["--config", file] });
  // Base64 packs to a little more than the bytes, with every tool's packer.
  const input = randomBytes(LARGE).toString("base64");
  for (const tool of TOOLS) {
    await t.step(tool.tool, async () => {
      const build = async (server: RealServer, name: string) => {
        const home = folder.join(`${tool.tool} ${name}`);
        await Deno.mkdir(home);
        const began = performance.now();
        const built = await tool.build(home, { url: server.url, token: server.adminToken }, input);
        assert.equal(built.code, 0, built.said);
        assert.ok(built.out.length >= input.length, "nothing was built");
        if (tool.never) assert.doesNotMatch(built.said, tool.never);
        return (performance.now() - began) / 1000;
      };
      const healthy = await build(roomy, "healthy");
      const seconds = await build(full, "over quota");
      const hidden = (await maskedOf(full))[tool.tool]?.quota_exceeded ?? 0;
      console.log(
        `${tool.tool} over quota: ${seconds.toFixed(1)} s (healthy: ${healthy.toFixed(1)} s), ` +
          `${hidden} answers hidden`,
      );
      assert.ok(hidden > 0, "the store took it");
      assert.equal((await maskedOf(roomy))[tool.tool], undefined);
    });
  }
});

type Masked = Record<string, { readonly quota_exceeded?: number } | undefined>;

async function maskedOf({ url, adminToken }: RealServer): Promise<Masked> {
  const headers = { authorization: `Bearer ${adminToken}` };
  const { masked } = await (await fetch(`${url}/v1/stats`, { headers })).json();
  return masked;
}
