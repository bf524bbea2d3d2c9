/** A real server on a disk that is really full: what is there is served, and no build fails. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { RealTool } from "../helpers/real_builds.ts";
import { run, startServer } from "../helpers/real_server.ts";
import { skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";
import { gradle } from "../helpers/tools/gradle.ts";
import { metro } from "../helpers/tools/metro.ts";
import { nx } from "../helpers/tools/nx.ts";
import { rush } from "../helpers/tools/rush.ts";
import { turborepo } from "../helpers/tools/turborepo.ts";

const TOOLS: readonly RealTool[] = [nx, turborepo(true), gradle, metro, rush];
/** Bytes of a result that no gap of a full disk takes. */
const LARGE = 1024 * 1024;

skippable("builds go on when the disk of the server is full, and take from it what it has", {
  need: () => Promise.resolve(Deno.uid() === 0 ? undefined : "mounting a tmpfs needs root"),
}, async (t) => {
  await using folder = await tempDir();
  const mount = `${folder.path}/small`;
  await Deno.mkdir(mount);
  const mounted = await run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", mount]);
  assert.equal(mounted.code, 0, mounted.stderr);
  try {
    await using server = await startServer(`${mount}/store`, { args: ["--max-size", "none"] });
    const cache = { url: server.url, token: server.adminToken };
    const large = randomBytes(LARGE).toString("base64");
    const build = async (tool: RealTool, name: string, input?: string) => {
      const home = `${folder.path}/${tool.tool}-${name}`;
      await Deno.mkdir(home);
      const began = performance.now();
      const built = await tool.build(home, cache, input);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(`${tool.tool}, ${name}: ${seconds} s`);
      assert.equal(built.code, 0, built.said);
      assert.notEqual(built.out, "");
      return built;
    };
    const before = new Map<RealTool, string>();
    for (const tool of TOOLS) before.set(tool, (await build(tool, "room left")).out);
    await fill(mount);
    for (const tool of TOOLS) {
      await t.step(tool.tool, async () => {
        const again = await build(tool, "full, nothing new");
        assert.match(again.said, tool.hit);
        assert.equal(again.out, before.get(tool));
        await build(tool, "full, something new", large);
      });
    }
    const stats = await fetch(`${server.url}/v1/stats`, {
      headers: { authorization: `Bearer ${server.adminToken}` },
    });
    const { masked } = await stats.json();
    for (const { tool } of TOOLS) assert.ok(masked[tool].quota_exceeded > 0, tool);
  } finally {
    const unmounted = await run(["umount", mount]);
    assert.equal(unmounted.code, 0, unmounted.stderr);
  }
});

async function fill(mount: string): Promise<void> {
  const filled = await run(["dd", "if=/dev/zero", `of=${mount}/filler`, "bs=64k"]);
  assert.match(filled.stderr, /No space left/);
}
