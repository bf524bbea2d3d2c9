/** The demo as a newcomer runs it, on a machine without a C compiler: the other path is its default. */
import assert from "node:assert/strict";
import { ROOT } from "../helpers/paths.ts";
import { run } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

Deno.test("the demo without a C compiler: the second build comes from the cache, byte-equal", async () => {
  await using folder = await tempDir();
  const { code, stdout, stderr } = await run(
    [Deno.execPath(), "run", "-A", "tools/demo.ts"],
    { cwd: ROOT, env: { PATH: `${folder.path}/nothing`, TMPDIR: folder.path } },
  );
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /no C compiler here/);
  assert.match(
    stdout,
    /machine-2: (\d+) outputs \(\d+ bytes\) in [\d.]+ s, 0 built, \1 from the cache/,
  );
  assert.match(stdout, /outputs byte-equal: yes/);
  assert.match(stdout, /For your build:/);
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), [], "left behind");
});
