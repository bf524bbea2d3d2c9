import assert from "node:assert/strict";
import { compile } from "../../tools/compile.ts";
import { VERSION } from "../../app/version.ts";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

/** Runs the executable to its end. */
async function executed(path: string, args: string[], env: Record<string, string> = {}) {
  const command = new Deno.Command(path, { args, env, stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("compile() makes an executable that says its version", async () => {
  const path = await compile();
  const { code, stdout, stderr } = await executed(path, ["--version"]);
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

Deno.test("the executable leaves nothing behind that another user could have put there", async () => {
  const path = await compile();
  await using dir = await tempDir();
  const { code, stderr } = await executed(path, ["--version"], { TMPDIR: dir.path });
  assert.equal(code, 0, stderr);
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
});

Deno.test("the executable serves with threads, puts and gets, and stops in order", async () => {
  const path = await compile();
  await using dir = await tempDir();
  const server = await startServer(dir.join("cache"), {
    program: [path],
    args: ["--threads", "2"],
  });
  try {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const file = dir.join("in");
    await Deno.writeFile(file, bytes);
    const env = { VITTE_CACHE_URL: server.url, VITTE_TOKEN: server.adminToken };
    const put = await executed(path, ["put", "compiled/key", file], env);
    assert.equal(put.code, 0, put.stderr);
    const get = await executed(path, ["get", "compiled/key", "-o", dir.join("out")], env);
    assert.equal(get.code, 0, get.stderr);
    assert.deepEqual(await Deno.readFile(dir.join("out")), bytes);
  } finally {
    assert.equal(await server.stop(), 0, server.log());
  }
});
