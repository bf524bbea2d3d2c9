/** Real Bazel over HTTP: what it is refused it says, and builds. */
import assert from "node:assert/strict";
import { buildsAnyway, buildsTwice } from "../helpers/real_builds.ts";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { bazel } from "../helpers/tools/bazel.ts";

Deno.test("Bazel takes the second workspace's three actions from the cache", () =>
  buildsTwice(bazel));

Deno.test("Bazel builds whatever the server suffers from", (t) => buildsAnyway(bazel, t));

Deno.test("Bazel builds when the server is gone", async () => {
  await using folder = await tempDir();
  await using server = await startServer(folder.join("store"));
  const { url, adminToken: token } = server;
  await server.kill();
  await Deno.mkdir(folder.join("one"));
  const built = await bazel.build(folder.join("one"), { url, token });
  assert.equal(built.code, 0, built.said);
  assert.match(built.said, bazel.miss);
  assert.match(built.out, /^hello\n/);
  assert.match(built.said, /WARNING: Reading from Remote Cache:\nConnection refused/);
});
