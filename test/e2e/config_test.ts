/** Configuration files with the real program: a server that is told by one, a repository that names it. */
import assert from "node:assert/strict";
import { run, SOURCE_PROGRAM, startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

Deno.test("serve --config obeys its file, and a repository with VITTE_TOKEN alone uses that server", async () => {
  await using dir = await tempDir();
  const file = dir.join("server.toml");
  await Deno.writeTextFile(file, 'max-blob-size = "1KiB"\naccess-log = "all"\nport = 1\n');
  // `--port 0` of `startServer` is a flag and beats the file, which could not be listened on.
  await using server = await startServer(dir.join("store"), { args: ["--config", file] });
  const ran = (args: string[], env: Record<string, string>, cwd = dir.path) =>
    run([...SOURCE_PROGRAM, ...args], { cwd, env: { HOME: dir.join("home"), ...env } });
  const admin = { VITTE_CACHE_URL: server.url, VITTE_TOKEN: server.adminToken };
  const made = await ran(["token", "create", "ci", "--allow", "read,write"], admin);
  assert.equal(made.code, 0, made.stderr);
  const token = { VITTE_TOKEN: made.stdout.trim() };

  const deep = dir.join("repo/packages/app");
  await Deno.mkdir(deep, { recursive: true });
  await Deno.mkdir(dir.join("repo/.vitte"));
  await Deno.writeTextFile(
    dir.join("repo/.vitte/config.toml"),
    `[remote-cache]\nurl = "${server.url}"\ntoken = "\${VITTE_TOKEN}"\nbackend = "s3"\n`,
  );
  await Deno.writeTextFile(`${deep}/small`, "x".repeat(1000));
  await Deno.writeTextFile(`${deep}/large`, "x".repeat(2000));
  const put = await ran(["put", "k", "small"], token, deep);
  assert.deepEqual([put.code, put.stderr], [0, ""]);
  const got = await ran(["get", "k"], token, deep);
  assert.deepEqual([got.code, got.stdout.length], [0, 1000]);
  const large = await ran(["put", "l", "large"], token, deep);
  assert.equal(large.code, 1);
  assert.match(large.stderr, /1024|1\.00 KiB|1 KiB/);
  // The server keeps its store on `fs`: told, and nothing more.
  const who = await ran(["whoami"], token, deep);
  assert.equal(who.code, 0, who.stderr);
  assert.match(who.stderr, /warning: the server keeps its store on fs, and .* expects s3/);
  await server.stop();
  assert.match(server.log(), /PUT/, "access-log = all");
  assert.ok(!server.log().includes(made.stdout.trim().slice(-43)));
});
