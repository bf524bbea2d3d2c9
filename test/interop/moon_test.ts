/** Real moon, told of the cache by variables, or by its workspace. */
import assert from "node:assert/strict";
import { buildsAnyway, buildsTwice } from "../helpers/real_builds.ts";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { moon } from "../helpers/tools/moon.ts";

Deno.test("moon takes the second checkout's task from the cache", () => buildsTwice(moon));

Deno.test("moon builds whatever the server suffers from", (t) => buildsAnyway(moon, t));

Deno.test("moon finds the cache by the line for its workspace", async () => {
  await using folder = await tempDir();
  await using server = await startServer(folder.join("store"));
  const under = ["env", `VITTE_MOON_TOKEN=${server.adminToken}`];
  const build = async (name: string) => {
    await Deno.mkdir(folder.join(name));
    const built = await moon.build(folder.join(name), { url: server.url, token: "", under });
    assert.equal(built.code, 0, built.said);
    return built;
  };
  assert.match((await build("one")).said, moon.miss);
  assert.match((await build("two")).said, moon.hit);
});
