import assert from "node:assert/strict";
import { listFiles, tempDir } from "./temp.ts";

Deno.test("tempDir removes the folder and its files when disposed", async () => {
  let path: string;
  {
    await using dir = await tempDir();
    path = dir.path;
    await Deno.mkdir(dir.join("a", "b"), { recursive: true });
    await Deno.writeTextFile(dir.join("a", "b", "c"), "x");
    assert.deepEqual(await listFiles(path), ["a/b/c"]);
  }
  await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
});

Deno.test("tempDir can be disposed after the test removed it", async () => {
  await using dir = await tempDir();
  await Deno.remove(dir.path);
});

Deno.test("tempDir gives every caller a folder of its own", async () => {
  await using a = await tempDir();
  await using b = await tempDir();
  assert.notEqual(a.path, b.path);
});
