import assert from "node:assert/strict";
import { join } from "node:path/posix";
import { isKind } from "../../core/errors.ts";
import { treeFile, treeFolder, treeLink } from "../../test/helpers/raw_tree.ts";
import type { TreeWorld } from "../../test/helpers/tree_world.ts";
import { picture, treeDraft, treeWorld, writeFile } from "../../test/helpers/tree_world.ts";
import { saveTree } from "./save_tree.ts";
import { isCacheTrouble } from "../../app/tolerance.ts";
import { placeBelow, placesOf } from "./tree_place.ts";

/** Saves what `write` makes, then restores it over what `prepare` made. */
async function over(
  world: TreeWorld,
  files: Readonly<Record<string, string>>,
  prepare: (to: string) => void,
): Promise<void> {
  for (const [path, text] of Object.entries(files)) world.write(path, text);
  await world.save("k", ["tree"]);
  prepare(world.to);
}

Deno.test("a link where a file goes is replaced, and what it leads to is left alone", async () => {
  await using world = await treeWorld();
  const outside = join(world.from, "../outside");
  writeFile(outside, "precious");
  await over(world, { "tree/f": "new" }, (to) => {
    Deno.mkdirSync(join(to, "tree"));
    Deno.symlinkSync(outside, join(to, "tree/f"));
  });
  await world.restore("k");
  assert.equal(Deno.readTextFileSync(outside), "precious");
  assert.equal(picture(world.to)["tree/f"], "file 644 new");
});

Deno.test("a link where a folder of the tree goes is replaced, and nothing is written through it", async () => {
  await using world = await treeWorld();
  const outside = join(world.from, "../outside");
  Deno.mkdirSync(outside);
  await over(world, { "tree/sub/f": "new" }, (to) => Deno.symlinkSync(outside, join(to, "tree")));
  await world.restore("k");
  assert.deepEqual(picture(outside), {});
  assert.equal(picture(world.to)["tree/sub/f"], "file 644 new");
});

Deno.test("a link above what is restored is not followed: the restore is refused", async () => {
  await using world = await treeWorld();
  const outside = join(world.from, "../outside");
  Deno.mkdirSync(outside);
  world.write("a/b/f", "x");
  // Only `a/b` is in the tree: `a` is nobody's to replace.
  await world.save("k", ["a/b"]);
  Deno.symlinkSync(outside, join(world.to, "a"));
  await assert.rejects(world.restore("k"), (thrown) => {
    assert.ok(isKind(thrown, "conflict"), String(thrown));
    assert.match(thrown.message, /a link stands there, which is not followed/);
    return true;
  });
  assert.deepEqual(picture(outside), {});
});

Deno.test("a folder that is not empty where a file goes is a clear error, before anything is written", async () => {
  await using world = await treeWorld();
  await over(
    world,
    { "tree/a": "new", "tree/f": "new" },
    (to) => writeFile(join(to, "tree/f/mine"), "x"),
  );
  const before = picture(world.to);
  await assert.rejects(
    world.restore("k"),
    /"[^"]*tree\/f": a folder that is not empty stands there/,
  );
  assert.deepEqual(picture(world.to), before);
});

Deno.test("an empty folder where a file goes, and a file where a folder goes, are replaced", async () => {
  await using world = await treeWorld();
  await over(world, { "tree/f": "new", "tree/sub/g": "new" }, (to) => {
    Deno.mkdirSync(join(to, "tree/f"), { recursive: true });
    writeFile(join(to, "tree/sub"), "a file");
  });
  await world.restore("k");
  assert.deepEqual(picture(world.to), picture(world.from));
});

Deno.test("what is there and not in the tree stays", async () => {
  await using world = await treeWorld();
  await over(world, { "tree/f": "new" }, (to) => {
    writeFile(join(to, "tree/mine"), "kept");
    writeFile(join(to, "other"), "kept");
  });
  await world.restore("k");
  assert.deepEqual(Object.keys(picture(world.to)), ["other", "tree", "tree/f", "tree/mine"]);
});

Deno.test("files that are equal already are neither fetched nor written", async () => {
  await using world = await treeWorld();
  for (let n = 0; n < 10; n++) world.write(`tree/f${n}`, `text ${n}`);
  await world.save("k", ["tree"]);
  await world.restore("k");
  const inode = Deno.lstatSync(join(world.to, "tree/f1")).ino;
  writeFile(join(world.to, "tree/f2"), "something else");
  Deno.chmodSync(join(world.to, "tree/f3"), 0o700);
  const again = await world.restore("k");
  assert.deepEqual([again?.filesWritten, again?.bytesFetched], [1, 6]);
  assert.equal(Deno.lstatSync(join(world.to, "tree/f1")).ino, inode);
  assert.deepEqual(picture(world.to), picture(world.from));
});

Deno.test("what was restored need not be read by the save that follows", async () => {
  await using world = await treeWorld();
  world.write("tree/f", "x");
  await world.save("k", ["tree"]);
  await world.restore("k");
  const places = placesOf(["tree"], world.to);
  const saved = await saveTree(world.cache, treeDraft("two"), places, world.options);
  assert.deepEqual([saved.outcome, saved.filesRead], ["saved", 0]);
});

Deno.test("only named paths are written, at their places or below another folder", async () => {
  await using world = await treeWorld();
  world.write("a/f", "1");
  world.write("b/g/h", "2");
  await world.save("k", ["a", "b"]);
  await world.restore("k", { places: placesOf(["b/g"], world.to) });
  assert.deepEqual(Object.keys(picture(world.to)), ["b", "b/g", "b/g/h"]);
  const below = join(world.to, "new/place");
  await world.restore("k", { places: [placeBelow(below, "a")] });
  assert.deepEqual(Object.keys(picture(below)), ["a", "a/f"]);
  await assert.rejects(
    world.restore("k", { places: placesOf(["c"], world.to) }),
    /the tree does not hold "c"/,
  );
});

Deno.test("a path outside of the working folder goes back to where it was named", async () => {
  await using world = await treeWorld();
  const tool = join(world.from, "../elsewhere/tool");
  writeFile(join(tool, "f"), "x");
  await world.save("k", ["../elsewhere/tool"]);
  Deno.removeSync(tool, { recursive: true });
  await world.restore("k", { places: placesOf([tool], world.to) });
  assert.deepEqual(picture(tool), { f: "file 644 x" });
});

Deno.test("a folder that nobody may write in is filled, and closed again", async () => {
  await using world = await treeWorld();
  world.write("tree/ro/f", "x");
  Deno.chmodSync(join(world.from, "tree/ro"), 0o555);
  await world.save("one", ["tree"]);
  await world.restore("one");
  Deno.chmodSync(join(world.from, "tree/ro"), 0o755);
  world.write("tree/ro/f", "other");
  Deno.chmodSync(join(world.from, "tree/ro"), 0o555);
  await world.save("two", ["tree"]);
  await world.restore("two");
  assert.deepEqual(picture(world.to), picture(world.from));
});

Deno.test("bytes that are lost meanwhile fail the restore, and leave nothing half done", async () => {
  await using world = await treeWorld();
  world.write("tree/a", "kept");
  world.write("tree/b", "lost");
  await world.save("k", ["tree"]);
  const { blobs } = world.cache;
  world.cache.blobs = (namespace) => ({
    ...blobs(namespace),
    getBatch: async (refs) => (await blobs(namespace).getBatch(refs)).slice(0, 1),
  });
  await assert.rejects(world.restore("k"), (thrown) => {
    return isKind(thrown, "corrupt") && isCacheTrouble(thrown);
  });
  const left = Object.keys(picture(world.to)).filter((name) => name.includes(".vitte-"));
  assert.deepEqual(left, []);
});

Deno.test("a restore that is interrupted leaves no half-written file, and folders with their modes", async () => {
  await using world = await treeWorld();
  const large = "0123456789abcdef".repeat(100_000);
  world.write("tree/large", large);
  for (let n = 0; n < 5; n++) world.write(`tree/sub/f${n}`, `text ${n}`);
  await world.save("k", ["tree"]);
  const controller = new AbortController();
  const { blobs } = world.cache;
  world.cache.blobs = (namespace) => ({
    ...blobs(namespace),
    async get(digest, options) {
      const body = await blobs(namespace).get(digest, options);
      return body && {
        ...body,
        stream() {
          let parts = 0;
          return body.stream().pipeThrough(
            new TransformStream({
              transform(part, out) {
                if (++parts === 2) {
                  controller.abort(new DOMException("SIGINT", "AbortError"));
                  throw controller.signal.reason;
                }
                out.enqueue(part);
              },
            }),
          );
        },
      };
    },
  });
  await assert.rejects(world.restore("k", { signal: controller.signal }));
  const found = picture(world.to);
  for (const [path, what] of Object.entries(found)) {
    assert.equal(what, picture(world.from)[path], path);
  }
  assert.equal(found["tree/large"], undefined);
  assert.equal(found["tree"], "folder 755");
});

Deno.test("a restore from a store that answers at once still hears that it is to stop", async () => {
  await using world = await treeWorld();
  for (let n = 0; n < 300; n++) world.write(`tree/f${n}`, `text ${n}`);
  await world.save("k", ["tree"]);
  const controller = new AbortController();
  // As a signal's handler would: only a turn of the event loop lets it run.
  const timer = setTimeout(() => controller.abort(new DOMException("SIGINT", "AbortError")), 0);
  const { signal } = controller;
  await assert.rejects(world.restore("k", { signal }), { name: "AbortError" });
  clearTimeout(timer);
  for (const [path, what] of Object.entries(picture(world.to))) {
    assert.equal(what, picture(world.from)[path], path);
  }
});

Deno.test("folders that are listed before and behind their contents get their modes", async () => {
  await using world = await treeWorld();
  await world.plant("k", [
    treeFolder("a", 0o700),
    treeFolder("a/b", 0o500),
    treeFile("a/b/empty"),
    treeLink("a/l", "b"),
  ]);
  await world.restore("k");
  assert.deepEqual(picture(world.to), {
    a: "folder 700",
    "a/b": "folder 500",
    "a/b/empty": "file 644 ",
    "a/l": "link b",
  });
});

Deno.test("a file with another name outside of the tree keeps its mode and bytes there", async () => {
  await using world = await treeWorld();
  world.write("tree/run", "same", 0o755);
  world.write("tree/text", "new");
  await world.save("k", ["tree"]);
  Deno.mkdirSync(join(world.to, "tree"));
  for (const [name, text] of [["run", "same"], ["text", "old"]] as const) {
    Deno.writeTextFileSync(join(world.to, name), text, { mode: 0o600 });
    Deno.linkSync(join(world.to, name), join(world.to, "tree", name));
  }
  await world.restore("k");
  for (const [name, text] of [["run", "same"], ["text", "old"]] as const) {
    assert.equal(Deno.readTextFileSync(join(world.to, name)), text);
    assert.equal(Deno.statSync(join(world.to, name)).mode! & 0o777, 0o600, name);
    Deno.removeSync(join(world.to, name));
  }
  assert.deepEqual(picture(world.to), picture(world.from));
});
