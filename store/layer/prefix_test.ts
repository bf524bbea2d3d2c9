import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { keys, rejectsKind, text } from "../../test/suites/object_store_asks.ts";
import { openFsStore } from "../fs/fs_store.ts";
import { MemoryObjectStore } from "../memory.ts";
import { prefixLayer } from "./prefix.ts";

Deno.test("prefixLayer puts its word in front of the area", async () => {
  const memory = new MemoryObjectStore();
  const store = prefixLayer("team-")(memory);
  const info = await store.put("data/ab/x", bytesSource(text("x")));
  assert.equal(info.key, "data/ab/x");
  assert.deepEqual(await keys(memory), ["team-data/ab/x"]);
  assert.deepEqual(await keys(store), ["data/ab/x"]);
});

Deno.test("prefixLayer shows nothing of its neighbours", async () => {
  const memory = new MemoryObjectStore();
  for (const prefix of ["a-", "b-", "ab-"]) {
    await prefixLayer(prefix)(memory).put(`x-${prefix}z/00/y`, bytesSource(text("y")));
  }
  await memory.put("plain/00/y", bytesSource(text("y")));
  assert.deepEqual(await keys(prefixLayer("a-")(memory)), ["x-a-z/00/y"]);
  assert.deepEqual(await keys(prefixLayer("a-")(memory), { after: "x-b/00/y" }), []);
  assert.deepEqual(await keys(prefixLayer("none-")(memory)), []);
});

Deno.test("prefixLayer refuses keys that only its prefix makes good, and too long ones", async () => {
  const store = prefixLayer("team-")(new MemoryObjectStore());
  for (const key of ["/ab/x", `${"a".repeat(28)}/ab/x`, "../ab/x"]) {
    await rejectsKind(store.get(key), "invalid_argument");
  }
});

Deno.test("prefixLayer finds the file of an object", async () => {
  await using dir = await tempDir();
  const store = prefixLayer("team-")(await openFsStore(dir.path));
  assert.equal(store.capability.pathOf("data/ab/x"), dir.join("team-data/ab/x"));
});

for (const prefix of ["", "team", "Team-", "a-b-", "-", "a/b-", "abcdefghijklmnop-"]) {
  Deno.test(`prefixLayer refuses the prefix "${prefix}"`, () => {
    assert.throws(() => prefixLayer(prefix), TypeError);
  });
}
