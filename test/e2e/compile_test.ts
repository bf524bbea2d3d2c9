import assert from "node:assert/strict";
import { compile } from "../../tools/compile.ts";
import { VERSION } from "../../app/version.ts";

/** Runs the executable to its end. */
async function executed(path: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(path, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("compile() makes an executable that says its version", async () => {
  const path = await compile();
  const { code, stdout, stderr } = await executed(path, "--version");
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`(^|\\s)${VERSION.replaceAll(".", "\\.")}\\s*$`));
});

Deno.test("compile() leaves an executable alone that is up to date", async () => {
  const path = await compile();
  const before = await Deno.stat(path);
  await compile();
  const after = await Deno.stat(path);
  assert.equal(after.ino, before.ino);
  assert.equal(after.mtime?.getTime(), before.mtime?.getTime());
});
