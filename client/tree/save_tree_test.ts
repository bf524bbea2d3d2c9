import assert from "node:assert/strict";
import { join } from "node:path/posix";
import { ManualClock } from "../../core/clock.ts";
import { digestOf } from "../../core/digest.ts";
import type { Digest } from "../../core/digest.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { picture, treeWorld, writeFile } from "../../test/helpers/tree_world.ts";

const textDigest = (text: string): Digest => digestOf(new TextEncoder().encode(text));
const large = "0123456789abcdef".repeat(30_000);

Deno.test("saveTree() and restoreTree() bring back modes, links, empty folders and bytes", async () => {
  await using world = await treeWorld();
  world.write("tree/bin/run", "#!/bin/sh\n", 0o755);
  world.write("tree/secret", "x", 0o600);
  world.write("tree/readonly/file", "y", 0o444);
  world.write("tree/empty-file", "");
  world.write("tree/large", large);
  world.write("tree/copy-of-large", large, 0o755);
  world.write("tree/ü/文 with blank", "z");
  Deno.mkdirSync(join(world.from, "tree/empty"), { mode: 0o700 });
  Deno.symlinkSync("bin/run", join(world.from, "tree/link"));
  Deno.symlinkSync("../nowhere", join(world.from, "tree/bin/dangling"));
  Deno.chmodSync(join(world.from, "tree/readonly"), 0o555);
  const saved = await world.save("k", ["tree"]);
  assert.deepEqual([saved.outcome, saved.files, saved.filesRead], ["saved", 7, 7]);
  const restored = await world.restore("k");
  assert.deepEqual([restored?.files, restored?.filesWritten], [7, 7]);
  assert.deepEqual(picture(world.to), picture(world.from));
});

Deno.test("saveTree() reads nothing of a tree that did not change, whatever its key", async () => {
  await using world = await treeWorld();
  for (let n = 0; n < 20; n++) world.write(`tree/d${n % 3}/f${n}`, `text ${n}`);
  const first = await world.save("one", ["tree"]);
  assert.deepEqual([first.filesRead, first.bytesSent > 0], [20, true]);
  const sent = ["blobs.put", "blobs.putBatch"].map((name) => world.cache.calls.get(name) ?? 0);
  const second = await world.save("two", ["tree"]);
  assert.deepEqual([second.outcome, second.filesRead, second.bytesSent], ["saved", 0, 0]);
  const again = ["blobs.put", "blobs.putBatch"].map((name) => world.cache.calls.get(name) ?? 0);
  assert.deepEqual(again, sent, "nothing was sent");
});

Deno.test("saveTree() reads and sends only the file that changed, also when its size did not", async () => {
  await using world = await treeWorld();
  for (let n = 0; n < 20; n++) world.write(`tree/f${n}`, `text ${n}`);
  await world.save("one", ["tree"]);
  world.write("tree/f7", "TEXT 7");
  const second = await world.save("two", ["tree"]);
  assert.equal(second.filesRead, 1);
  await world.restore("two");
  assert.deepEqual(picture(world.to), picture(world.from));
});

Deno.test("saveTree() notices a file whose times were put back", async () => {
  await using world = await treeWorld();
  world.write("tree/f", "old");
  const path = join(world.from, "tree/f");
  // Before this second, so that the change below shows in ctime as well.
  const before = Deno.lstatSync(path);
  await world.save("one", ["tree"]);
  Deno.writeTextFileSync(path, "new");
  Deno.utimeSync(path, before.atime!, before.mtime!);
  const same = Deno.lstatSync(path).ctime!.getTime() === before.ctime!.getTime();
  // Within one second nobody can tell them apart; that such rows are not kept is tested elsewhere.
  if (!same) assert.equal((await world.save("two", ["tree"])).filesRead, 1);
});

Deno.test("a file that changed within the second in which it was read is read again", async () => {
  await using world = await treeWorld();
  world.write("tree/f", "old");
  const clock = new ManualClock(Deno.lstatSync(join(world.from, "tree/f")).ctime!.getTime() + 999);
  await world.save("one", ["tree"], { clock });
  assert.equal((await world.save("two", ["tree"], { clock })).filesRead, 1);
  clock.advance(1_000);
  assert.equal((await world.save("three", ["tree"], { clock })).filesRead, 1);
  assert.equal((await world.save("four", ["tree"], { clock })).filesRead, 0);
});

Deno.test("a clock that jumps makes files be read again and never believes an old state", async () => {
  await using world = await treeWorld();
  world.write("tree/f", "one");
  await world.save("a", ["tree"]);
  world.clock.jump(-10 * 365 * 86_400_000);
  assert.equal((await world.save("b", ["tree"])).filesRead, 0, "what is known stays known");
  world.write("tree/f", "two");
  assert.equal((await world.save("c", ["tree"])).filesRead, 1);
  assert.equal((await world.save("d", ["tree"])).filesRead, 1, "not settled by this clock");
  await world.restore("d");
  assert.equal(picture(world.to)["tree/f"], "file 644 two");
});

Deno.test("a damaged stat cache is as good as none", async () => {
  await using world = await treeWorld();
  world.write("tree/f", "one");
  await world.save("a", ["tree"]);
  const folder = join(world.from, "../stat");
  const [file] = [...Deno.readDirSync(folder)];
  assert.equal(Deno.lstatSync(join(folder, file!.name)).mode! & 0o777, 0o600);
  assert.equal(Deno.lstatSync(folder).mode! & 0o777, 0o700);
  const good = Deno.readTextFileSync(join(folder, file!.name));
  const forged = good.replace("sha256-", "sha257-");
  for (const [n, text] of ["", "{", "[]", "null", '{"version":1}', forged].entries()) {
    Deno.writeTextFileSync(join(folder, file!.name), text);
    assert.equal((await world.save(`k${n}`, ["tree"])).filesRead, 1, text);
  }
});

Deno.test("what is known of a path that nobody saved for long is dropped", async () => {
  await using world = await treeWorld();
  world.write("old/f", "one");
  world.write("new/f", "two");
  const known = () => [...Deno.readDirSync(join(world.from, "../stat"))].length;
  await world.save("a", ["old"]);
  await world.save("b", ["new"]);
  assert.equal(known(), 2);
  for (let month = 0; month < 4; month++) {
    world.clock.advance(30 * 86_400_000);
    await world.save(`n${month}`, ["new"]);
  }
  world.write("new/f", "three");
  await world.save("c", ["new"]);
  assert.equal(known(), 1);
});

Deno.test("saveTree() of a taken key changes nothing and reads nothing", async () => {
  await using world = await treeWorld();
  world.write("tree/f", "one");
  await world.save("k", ["tree"]);
  world.write("tree/f", "two");
  const second = await world.save("k", ["tree"]);
  assert.deepEqual([second.outcome, second.filesRead], ["taken", 0]);
  await world.restore("k");
  assert.equal(picture(world.to)["tree/f"], "file 644 one");
});

Deno.test("saveTree() tells of a key that was taken while it was at work", async () => {
  await using world = await treeWorld();
  world.write("tree/f", "one");
  world.cache.fault = (operation) =>
    operation === "link" ? new CacheError("conflict", "Cannot put: it is there") : undefined;
  assert.equal((await world.save("k", ["tree"])).outcome, "taken");
});

Deno.test("saveTree() sends what the cache lost since it was sent", async () => {
  await using world = await treeWorld();
  world.write("tree/kept", "kept");
  world.write("tree/lost", "lost");
  await world.save("one", ["tree"]);
  world.cache.lose(textDigest("lost"));
  const second = await world.save("two", ["tree"]);
  assert.deepEqual([second.outcome, second.filesRead, second.bytesSent], ["saved", 1, 4]);
  await world.restore("two");
  assert.deepEqual(picture(world.to), picture(world.from));
});

Deno.test("a file that changes while it is saved is never stored under another's digest", async () => {
  await using world = await treeWorld();
  world.write("tree/f", "kept as it was");
  world.write("tree/large", large);
  await world.save("one", ["tree"]);
  // Both are believed to be there; when they are asked for, they are no longer what they were.
  world.cache.lose(textDigest("kept as it was"));
  world.cache.lose(textDigest(large));
  let changed = false;
  world.cache.fault = (operation) => {
    if (operation === "link" && !changed) {
      changed = true;
      world.write("tree/f", "other text now");
      world.write("tree/large", large.toUpperCase());
    }
    return undefined;
  };
  await assert.rejects(world.save("two", ["tree"]), (thrown) => {
    assert.ok(isKind(thrown, "conflict"), String(thrown));
    assert.match(thrown.message, /changes while it is read/);
    return true;
  });
  assert.equal(await world.restore("two"), undefined, "nothing stands under the key");
  await world.save("three", ["tree"]);
  await world.restore("three");
  assert.deepEqual(picture(world.to), picture(world.from));
});

Deno.test("a large file that changes between hashing and sending is noticed", async () => {
  await using world = await treeWorld();
  world.write("tree/large", large);
  world.cache.fault = (operation) => {
    if (operation === "blobs.put") world.write("tree/large", large.toUpperCase());
    return undefined;
  };
  await assert.rejects(world.save("k", ["tree"]), /changes while it is read/);
});

Deno.test("a path outside of the working folder is stored under its last name", async () => {
  await using world = await treeWorld();
  writeFile(join(world.from, "../elsewhere/deep/tool/f"), "x");
  world.write("in/f", "y");
  await world.save("k", ["in", "../elsewhere/deep/tool"]);
  await world.restore("k");
  assert.deepEqual(Object.keys(picture(world.to)), ["in", "in/f", "tool", "tool/f"]);
  await assert.rejects(
    world.save("two", ["../elsewhere/deep/tool", "../other/tool"]),
    /both would be "tool"/,
  );
});

Deno.test("the working folder itself is a tree without a name", async () => {
  await using world = await treeWorld();
  world.write("a/f", "x");
  world.write("g", "y");
  await world.save("k", ["."]);
  await world.restore("k");
  assert.deepEqual(picture(world.to), picture(world.from));
});

Deno.test("overlapping paths are stored once", async () => {
  await using world = await treeWorld();
  world.write("a/b/f", "x");
  assert.equal((await world.save("k", ["a/b", "a", "a/b/f"])).files, 1);
});

Deno.test("saveTree() refuses what no tree may hold, and says so", async (t) => {
  const make: Readonly<Record<string, [(folder: string) => void, RegExp]>> = {
    "a path that is not there": [() => {}, /no such file/],
    "a git folder": [(dir) => writeFile(join(dir, ".git/config"), ""), /git would take/],
    "a setuid file": [(dir) => writeFile(join(dir, "su"), "", 0o4755), /setuid/],
    "a pipe": [
      (dir) => void new Deno.Command("mkfifo", { args: [join(dir, "pipe")] }).outputSync(),
      /a device, a pipe or a socket/,
    ],
    "an absolute link": [
      (dir) => Deno.symlinkSync("/etc", join(dir, "l")),
      /leads out of the tree/,
    ],
    "an escaping link": [
      (dir) => Deno.symlinkSync("../../x", join(dir, "l")),
      /leads out of the tree/,
    ],
    "names that differ in case": [
      (dir) => {
        writeFile(join(dir, "A"), "");
        writeFile(join(dir, "a"), "");
      },
      /where case or normal form does not count/,
    ],
  };
  for (const [what, [prepare, words]] of Object.entries(make)) {
    await t.step(what, async () => {
      await using world = await treeWorld();
      const folder = join(world.from, "tree");
      if (what !== "a path that is not there") {
        Deno.mkdirSync(folder);
        prepare(folder);
      }
      await assert.rejects(world.save("k", ["tree"]), words);
      assert.equal(await world.restore("k"), undefined);
    });
  }
});

Deno.test("links that lead out are taken when somebody says so, on both sides", async () => {
  await using world = await treeWorld();
  world.write("tree/f", "x");
  Deno.symlinkSync("/usr/bin/env", join(world.from, "tree/env"));
  await world.save("k", ["tree"], { outsideLinks: true });
  await assert.rejects(world.restore("k"), /leads out of it/);
  assert.deepEqual(picture(world.to), {}, "nothing was written");
  await world.restore("k", { outsideLinks: true });
  assert.deepEqual(picture(world.to), picture(world.from));
});

Deno.test("saveTree() stops when it is told to, and keeps nothing under the key", async () => {
  await using world = await treeWorld();
  for (let n = 0; n < 10; n++) world.write(`tree/f${n}`, `text ${n}`);
  const controller = new AbortController();
  world.cache.fault = (operation) => {
    if (operation === "blobs.putBatch") controller.abort(new DOMException("SIGINT", "AbortError"));
    return undefined;
  };
  const { signal } = controller;
  await assert.rejects(world.save("k", ["tree"], { signal }), { name: "AbortError" });
  world.cache.fault = () => undefined;
  assert.equal(await world.restore("k"), undefined);
});
