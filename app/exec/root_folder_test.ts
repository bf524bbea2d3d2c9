import assert from "node:assert/strict";
import { tempDir } from "../../test/helpers/temp.ts";
import { rootFolder } from "./root_folder.ts";

Deno.test("rootFolder is the configured folder, else the repository, else the folder itself", async () => {
  await using dir = await tempDir();
  const deep = dir.join("repo", "packages", "app", "src");
  await Deno.mkdir(deep, { recursive: true });
  assert.equal(rootFolder(deep), deep);
  // A worktree has a file there.
  await Deno.writeTextFile(dir.join("repo", ".git"), "gitdir: elsewhere\n");
  assert.equal(rootFolder(deep), dir.join("repo"));
  await Deno.mkdir(dir.join("repo", "packages", ".vitte"));
  await Deno.writeTextFile(dir.join("repo", "packages", ".vitte", "config.toml"), "");
  assert.equal(rootFolder(deep), dir.join("repo", "packages"));
});
