import assert from "node:assert/strict";
import { digestOf } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import { treeWorld } from "../../test/helpers/tree_world.ts";
import { readFile } from "./read_file.ts";
import { scanTree } from "./scan_tree.ts";
import { StatCache } from "./stat_cache.ts";
import { placesOf } from "./tree_place.ts";

const digest = (text: string) => digestOf(new TextEncoder().encode(text));

for (const [size, text] of [["small", "abc"], ["large", "0123456789abcdef".repeat(30_000)]]) {
  Deno.test(`readFile() of a ${size} file that changed since it was found tells its new state`, async () => {
    await using world = await treeWorld();
    world.write("tree/f", text!);
    const { statFolder: folder, clock } = world.options;
    const open = () => StatCache.open(`${world.from}/tree`, { folder, clock });
    const { files: [file], caches } = scanTree(placesOf(["tree"], world.from), { statCache: open });
    world.write("tree/f", text!.toUpperCase());
    const read = await readFile(file!);
    const now = Deno.lstatSync(file!.path);
    assert.equal(read.digest, digest(text!.toUpperCase()));
    assert.equal(read.stat.mtime?.getTime(), now.mtime?.getTime());
    for (const cache of caches) cache.save();
    assert.equal(
      open().find("f", file!.stat),
      undefined,
      "the old state is not known by new bytes",
    );
    assert.equal(open().find("f", now), read.digest);
  });
}

Deno.test("readFile() gives up on a file that is gone", async () => {
  await using world = await treeWorld();
  world.write("tree/f", "abc");
  const { statFolder: folder, clock } = world.options;
  const statCache = (root: string) => StatCache.open(root, { folder, clock });
  const { files: [file] } = scanTree(placesOf(["tree"], world.from), { statCache });
  Deno.removeSync(file!.path);
  await assert.rejects(readFile(file!), (thrown) => isKind(thrown, "conflict"));
});
