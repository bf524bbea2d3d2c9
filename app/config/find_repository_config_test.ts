import assert from "node:assert/strict";
import { skippable } from "../../test/helpers/skip.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { findRepositoryConfig } from "./find_repository_config.ts";
import { ConfigError } from "./problem.ts";

async function writeConfig(folder: string, url: string): Promise<string> {
  await Deno.mkdir(`${folder}/.vitte`, { recursive: true });
  const file = `${folder}/.vitte/config.toml`;
  await Deno.writeTextFile(file, `[remote-cache]\nurl = "${url}"\n`);
  return file;
}

Deno.test("findRepositoryConfig() takes the nearest file upwards, and only that", async () => {
  await using dir = await tempDir();
  const inner = dir.join("a/b/c");
  await Deno.mkdir(inner, { recursive: true });
  assert.equal(await findRepositoryConfig(inner), undefined);
  const outer = await writeConfig(dir.path, "https://outer.example");
  assert.equal((await findRepositoryConfig(inner))?.source.file, outer);
  await writeConfig(dir.join("a"), "https://inner.example");
  for (const folder of [inner, dir.join("a/b"), dir.join("a")]) {
    assert.equal((await findRepositoryConfig(folder))?.config.url, "https://inner.example");
  }
  assert.equal((await findRepositoryConfig(dir.path))?.config.url, "https://outer.example");
  // A folder `.vitte` without the file is none; an empty file is one, and says nothing.
  await Deno.mkdir(dir.join("a/b/.vitte"));
  assert.equal((await findRepositoryConfig(inner))?.config.url, "https://inner.example");
  await Deno.writeTextFile(dir.join("a/b/.vitte/config.toml"), "");
  assert.deepEqual((await findRepositoryConfig(inner))?.config, {});
});

Deno.test("findRepositoryConfig() does not go past a broken file to one that would do", async () => {
  await using dir = await tempDir();
  await writeConfig(dir.path, "https://outer.example");
  await writeConfig(dir.join("a"), "file:///etc");
  await assert.rejects(findRepositoryConfig(dir.join("a")), ConfigError);
  await Deno.remove(dir.join("a/.vitte/config.toml"));
  await Deno.symlink("config.toml", dir.join("a/.vitte/config.toml"));
  await assert.rejects(findRepositoryConfig(dir.join("a")), /found a loop of links/);
});

skippable("hostile configuration: a file that another user put above us is not taken", {
  need: () => Deno.uid() === 0 ? undefined : "only root can make files of another user",
}, async () => {
  await using dir = await tempDir();
  const mine = dir.join("mine");
  await Deno.mkdir(mine);
  const file = await writeConfig(dir.path, "https://evil.example");
  assert.equal((await findRepositoryConfig(mine))?.config.url, "https://evil.example");
  await Deno.chown(file, 65_534, 65_534);
  await assert.rejects(
    findRepositoryConfig(mine),
    (thrown) => thrown instanceof ConfigError && /found one of user 65534/.test(thrown.message),
  );
  // A checkout that belongs to somebody else as a whole, as in containers, is one person's work.
  await Deno.chown(mine, 65_534, 65_534);
  assert.equal((await findRepositoryConfig(mine))?.config.url, "https://evil.example");
});
