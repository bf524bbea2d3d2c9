import assert from "node:assert/strict";
import { isKind } from "../../core/errors.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { picture, writeFile } from "../../test/helpers/tree_world.ts";
import { TargetFolder } from "./target_folder.ts";

const bytes = new TextEncoder().encode("new");

function conflict(work: () => unknown, words: RegExp): void {
  assert.throws(work, (thrown) => {
    assert.ok(isKind(thrown, "conflict"), String(thrown));
    assert.match(thrown.message, words);
    return true;
  });
}

Deno.test("a link that appears after the look is not written through either", async () => {
  await using dir = await tempDir();
  Deno.mkdirSync(dir.join("outside"));
  Deno.mkdirSync(dir.join("to"));
  using target = new TargetFolder(new Map());
  assert.equal(target.look(dir.join("to/a/b/f"), dir.join("to")), undefined);
  Deno.symlinkSync(dir.join("outside"), dir.join("to/a"));
  const write = () => target.file(dir.join("to/a/b/f"), dir.join("to"), { bytes, mode: 0o644 });
  conflict(write, /a link stands there, which is not followed/);
  conflict(() => target.link(dir.join("to/a/l"), dir.join("to"), "f"), /is not followed/);
  conflict(() => target.folder(dir.join("to/a/b"), dir.join("to")), /is not followed/);
  assert.deepEqual(picture(dir.join("outside")), {});
});

Deno.test("the look refuses a link, and a file, above what is to be written", async () => {
  await using dir = await tempDir();
  Deno.mkdirSync(dir.join("outside"));
  Deno.mkdirSync(dir.join("to"));
  Deno.symlinkSync(dir.join("outside"), dir.join("to/a"));
  writeFile(dir.join("to/b"), "a file");
  using target = new TargetFolder(new Map());
  conflict(() => target.look(dir.join("to/a/f"), dir.join("to")), /a link stands there/);
  conflict(() => target.look(dir.join("to/b/c/f"), dir.join("to")), /it is no folder/);
});

Deno.test("links on the way to the folder that the caller named are his own", async () => {
  await using dir = await tempDir();
  Deno.mkdirSync(dir.join("real"));
  Deno.symlinkSync(dir.join("real"), dir.join("to"));
  using target = new TargetFolder(new Map());
  target.file(dir.join("to/a/f"), dir.join("to"), { bytes, mode: 0o600 });
  assert.deepEqual(picture(dir.join("real")), { a: "folder 755", "a/f": "file 600 new" });
});

Deno.test("a failed write leaves the old file and nothing beside it", async () => {
  await using dir = await tempDir();
  writeFile(dir.join("to/f"), "old");
  {
    using target = new TargetFolder(new Map());
    const broken = async function* () {
      yield bytes;
      throw new Error("cut off");
    };
    const content = { open: broken, mode: 0o644 };
    await assert.rejects(target.largeFile(dir.join("to/f"), dir.join("to"), content), /cut off/);
  }
  assert.deepEqual(picture(dir.join("to")), { f: "file 644 old" });
});
