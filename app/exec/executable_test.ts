import assert from "node:assert/strict";
import { isKind } from "../../core/errors.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import type { TempDir } from "../../test/helpers/temp.ts";
import { findExecutable } from "./executable.ts";

async function program(dir: TempDir, name: string, text: string, mode = 0o755): Promise<string> {
  const path = dir.join(name);
  await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, mode);
  return path;
}

Deno.test("findExecutable goes through PATH in order, past what may not be run", async () => {
  await using dir = await tempDir();
  await program(dir, "a/cc", "data", 0o644);
  const second = await program(dir, "b/cc", "binary");
  await program(dir, "c/cc", "binary");
  await Deno.mkdir(dir.join("d/cc"), { recursive: true });
  const path = ["d", "a", "b", "c"].map((name) => dir.join(name)).join(":");
  assert.deepEqual(findExecutable("cc", { cwd: "/", path }), [second]);
  assert.deepEqual(findExecutable("b/cc", { cwd: dir.path, path: "" }), [second]);
  assert.deepEqual(findExecutable("cc", { cwd: dir.join("b"), path: "" }), [second]);
});

Deno.test("findExecutable follows links, since a link may be set to another compiler", async () => {
  await using dir = await tempDir();
  const real = await program(dir, "gcc-12", "binary");
  await Deno.symlink("gcc-12", dir.join("gcc"));
  assert.deepEqual(findExecutable("gcc", { cwd: "/", path: dir.path }), [real]);
});

Deno.test("findExecutable names the interpreter of a script, and the program behind env", async () => {
  await using dir = await tempDir();
  const sh = await program(dir, "sh", "binary");
  const node = await program(dir, "node", "binary");
  const env = await program(dir, "env", "binary");
  const one = await program(dir, "one", `#! ${sh} -e\ntrue\n`);
  const two = await program(dir, "two", `#!${env} -S X=1 node --flag\n`);
  const three = await program(dir, "three", `#!${dir.join("one")}\n`);
  const options = { cwd: "/", path: dir.path };
  assert.deepEqual(findExecutable("one", options), [one, sh]);
  assert.deepEqual(findExecutable("two", options), [two, env, node]);
  assert.deepEqual(findExecutable("three", options), [three, one, sh]);
});

Deno.test("findExecutable ends with a script that is its own interpreter", async () => {
  await using dir = await tempDir();
  await program(dir, "loop", `#!${dir.join("loop")}\n`);
  assert.ok(findExecutable("loop", { cwd: "/", path: dir.path }).length <= 6);
});

Deno.test("findExecutable tells what is missing from what may not be run", async () => {
  await using dir = await tempDir();
  await program(dir, "data", "x", 0o644);
  const options = { cwd: dir.path, path: dir.path };
  for (const word of ["nothing", "./nothing", ""]) {
    assert.throws(() => findExecutable(word, options), (e) => isKind(e, "not_found"), word);
  }
  assert.throws(() => findExecutable("data", options), (e) => isKind(e, "permission_denied"));
  assert.throws(() => findExecutable("/", options), (e) => isKind(e, "permission_denied"));
});
