/** `save`, `restore`, `hash` and `exec` on machines that are not as they should be. */
import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { fakeEnvironment } from "../../test/helpers/fake_environment.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { openFolder } from "../compose.ts";
import { main } from "../main.ts";

Deno.test("save, restore and hash do their work where digests of files can not be noted", async () => {
  await using dir = await tempDir();
  Deno.writeTextFileSync(dir.join("file"), "text");
  Deno.writeTextFileSync(dir.join("no-folder"), "");
  const homes = { "is a file": dir.join("no-folder"), "can not be made": "/proc/self/home" };
  for (const [name, HOME] of Object.entries(homes)) {
    const run = async (...args: string[]) => {
      const environment = fakeEnvironment({ args, cwd: dir.path, env: { HOME } });
      assert.equal(await main(environment), 0, `${args[0]}: ${environment.err}`);
      return environment;
    };
    const store = ["--dir", dir.join("store")];
    const saved = await run("save", name, "file", ...store);
    assert.match(saved.out, /1 file/);
    const to = dir.join(name);
    const restored = await run("restore", name, "--to", to, ...store);
    assert.match(restored.out, /1 file/);
    assert.equal(Deno.readTextFileSync(`${to}/file`), "text");
    assert.match((await run("hash", "file")).out, /^[0-9a-f]{64}\n$/);
    const ran = await run("exec", "--input", "file", ...store, "--", "true");
    assert.doesNotMatch(ran.err, /can not be noted/, "so little is not noted anyway");
  }
});

Deno.test("save and restore take a folder that another process has as a miss", async () => {
  await using dir = await tempDir();
  const run = async (...args: string[]) => {
    const environment = fakeEnvironment({ args, cwd: dir.path, env: { HOME: dir.path } });
    return Object.assign(environment, { code: await main(environment) });
  };
  const store = ["--dir", dir.join("store")];
  Deno.writeTextFileSync(dir.join("file"), "text");
  await using _other = await openFolder(dir.join("store"), { clock: systemClock });
  for (const words of [["save", "k", "file"], ["restore", "k"]]) {
    const ran = await run(...words, ...store);
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.err, /warning: going on without the cache: .* has it open/);
    assert.equal((await run(...words, ...store, "--on-error", "fail")).code, 1);
  }
  const missed = await run("restore", "k", ...store, "--json", "--fail-on-miss");
  assert.deepEqual([missed.code, JSON.parse(missed.out).hit], [3, "miss"]);
});
