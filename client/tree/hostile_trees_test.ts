/** Trees that nobody honest makes: nothing of them is ever written. */
import assert from "node:assert/strict";
import { CacheError, isKind } from "../../core/errors.ts";
import { ESCAPING_LINKS, HOSTILE_TREES, treeFile } from "../../test/helpers/raw_tree.ts";
import { picture, treeWorld } from "../../test/helpers/tree_world.ts";
import { restoreTree } from "./restore_tree.ts";
import { placeBelow } from "./tree_place.ts";

for (const [what, { entries, refusal }] of Object.entries(HOSTILE_TREES)) {
  Deno.test(`hostile tree: ${what}: restore writes nothing and says why`, async () => {
    await using world = await treeWorld();
    await world.plant("k", [...entries]);
    await assert.rejects(world.restore("k"), (thrown) => {
      assert.ok(isKind(thrown, "corrupt"), String(thrown));
      assert.match(thrown.message, refusal);
      return true;
    });
    assert.deepEqual(picture(world.to), {});
  });
}

for (const [what, entries] of Object.entries(ESCAPING_LINKS)) {
  Deno.test(`hostile tree: ${what}: restore writes nothing and says why`, async () => {
    await using world = await treeWorld();
    await world.plant("k", entries);
    await assert.rejects(world.restore("k"), /leads out of it/);
    assert.deepEqual(picture(world.to), {});
  });
}

Deno.test("hostile tree: restoreTree() itself checks the list, whoever read it", async () => {
  await using world = await treeWorld();
  const blobs = world.cache.blobs("default");
  for (const [what, { entries }] of Object.entries(HOSTILE_TREES)) {
    const places = [placeBelow(world.to, "")];
    await assert.rejects(restoreTree(blobs, entries, places, world.options), CacheError, what);
  }
  assert.deepEqual(picture(world.to), {});
});

Deno.test("hostile tree: a manifest that claims 10^9 files: restore refuses it", async () => {
  await using world = await treeWorld();
  await world.plant("k", [treeFile("a")]);
  const { blobs } = world.cache;
  world.cache.body = async (entry) => {
    const body = await blobs("default").get(entry.blobs[0]!.digest);
    new DataView(body!.bytes!.buffer).setUint32(8, 1_000_000_000, true);
    return body;
  };
  await assert.rejects(world.restore("k"), /claims 1000000000 entries/);
});

Deno.test("an entry that is no tree is refused", async () => {
  await using world = await treeWorld();
  const entry = { content: "opaque" as const };
  await world.plant("k", [treeFile("a")]);
  const found = await world.cache.find({
    namespace: "default",
    scopes: ["main"],
    protocol: "tree",
    key: "k",
  });
  Object.assign(found!, entry);
  await assert.rejects(world.restore("k"), /it is no tree/);
});

Deno.test("no memory is claimed by the size that a hostile tree says a file has", async () => {
  await using world = await treeWorld();
  const huge = { ...treeFile("a", "x"), size: 90 * 1024 ** 3 };
  await world.plant("k", [huge]);
  await assert.rejects(world.restore("k"), (thrown) => thrown instanceof CacheError);
  assert.deepEqual(picture(world.to), {});
});
