import assert from "node:assert/strict";
import { join } from "node:path/posix";
import { treeWorld } from "../../test/helpers/tree_world.ts";
import type { TreeWorld } from "../../test/helpers/tree_world.ts";
import { globFiles } from "./glob_files.ts";
import { hashFiles } from "./hash_files.ts";
import { StatCache } from "./stat_cache.ts";

async function hashed(world: TreeWorld, ...patterns: string[]): Promise<string> {
  const { statFolder: folder, clock } = world.options;
  const statCache = StatCache.open(world.from, { folder, clock });
  const options = { cwd: world.from, statCache };
  const { digest } = await hashFiles(globFiles(patterns, world.from), options);
  statCache.saveAll();
  return digest;
}

Deno.test("globFiles() finds files and links, and all that is in a folder", async () => {
  await using world = await treeWorld();
  for (const path of ["src/a.ts", "src/b/c.ts", "src/b/.d.ts", "src/.git/config", "x.json"]) {
    world.write(path, path);
  }
  Deno.symlinkSync("src", join(world.from, "link"));
  const glob = (...patterns: string[]) => globFiles(patterns, world.from);
  assert.deepEqual(glob("**/*.ts"), ["src/a.ts", "src/b/c.ts"]);
  assert.deepEqual(glob("src"), ["src/a.ts", "src/b/.d.ts", "src/b/c.ts"]);
  assert.deepEqual(glob("x.json", "src/*.ts", "src/a.ts"), ["src/a.ts", "x.json"]);
  assert.deepEqual(glob("src", "!**/c.ts"), ["src/a.ts", "src/b/.d.ts"]);
  assert.deepEqual(glob("src", "!src/b"), ["src/a.ts"]);
  assert.deepEqual(glob("link"), ["link"]);
  assert.deepEqual(globFiles(["../x.json"], join(world.from, "src")), ["../x.json"]);
});

Deno.test("globFiles() fails for a pattern that matches nothing, and names it", async () => {
  await using world = await treeWorld();
  world.write("a", "x");
  Deno.mkdirSync(join(world.from, "empty"));
  for (const pattern of ["nothing", "*.ts", "empty", "empty/**"]) {
    assert.throws(() => globFiles(["a", pattern], world.from), (thrown) => {
      assert.match((thrown as Error).message, /no file matches/);
      assert.ok((thrown as Error).message.includes(`"${pattern}"`));
      return true;
    });
  }
});

Deno.test("hashFiles() changes with a path, a byte and the x bit, and with nothing else", async () => {
  await using world = await treeWorld();
  world.write("a/one", "1");
  world.write("a/two", "2");
  const first = await hashed(world, "a");
  assert.equal(await hashed(world, "a/two", "a/one"), first, "order of patterns");
  Deno.chmodSync(join(world.from, "a/one"), 0o600);
  Deno.utimeSync(join(world.from, "a/one"), 1, 1);
  assert.equal(await hashed(world, "a"), first, "times and other modes");
  world.write("b/one", "1");
  const seen = new Set([first, await hashed(world, "a", "b")]);
  world.write("a/one", "3");
  seen.add(await hashed(world, "a"));
  world.write("a/one", "1", 0o755);
  seen.add(await hashed(world, "a"));
  Deno.renameSync(join(world.from, "a/one"), join(world.from, "a/three"));
  seen.add(await hashed(world, "a"));
  assert.equal(seen.size, 5);
});

Deno.test("hashFiles() takes a link for the file that it leads to", async () => {
  await using world = await treeWorld();
  world.write("file", "1");
  for (const [name, target] of [["link", "file"], ["dangling", "nowhere"], ["loop", "loop"]]) {
    Deno.symlinkSync(target!, join(world.from, name!));
  }
  const links = await hashed(world, "link", "dangling", "loop");
  world.write("file", "2");
  assert.notEqual(await hashed(world, "link", "dangling", "loop"), links);
});

Deno.test("hashFiles() gives the digest that its format says, for ever", async () => {
  await using world = await treeWorld();
  world.write("a", "hello");
  world.write("b/run", "#!/bin/sh\n", 0o755);
  Deno.symlinkSync("nowhere", join(world.from, "c"));
  assert.equal(
    await hashed(world, "a", "b", "c"),
    "sha256-b5cd7462db68c130aa0df340860c695d2389acc42d1595fcb6f3ffb3ff22ae4d",
  );
});
