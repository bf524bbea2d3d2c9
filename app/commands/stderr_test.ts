/** Builds whose log is on a full disk, or is read by nobody. */
import assert from "node:assert/strict";
import { fakeEnvironment } from "../../test/helpers/fake_environment.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { main } from "../main.ts";

Deno.test("a warning that can not be written fails no build, nor does the command's own", async (t) => {
  await using dir = await tempDir();
  Deno.writeTextFileSync(dir.join("file"), "text");
  const away = ["--url", "http://127.0.0.1:1"];
  const store = ["--dir", dir.join("store")];
  const line = ["--", "sh", "-c", "echo words >&2; echo done > out; exit 0"];
  const cases: Record<string, string[]> = {
    "save without a cache": ["save", "k", "file", ...away],
    "restore without a cache": ["restore", "k", ...away],
    "with without a cache": ["with", ...away, ...line],
    "exec without a cache": ["exec", ...away, ...line],
    "exec that is not stored": ["exec", "--output", "nowhere", ...store, ...line],
    "exec": ["exec", "--output", "out", ...store, ...line],
    "exec from the cache": ["exec", "--output", "out", ...store, ...line],
  };
  for (const [name, args] of Object.entries(cases)) {
    for (
      const thrown of [new Error("No space left on device"), new Deno.errors.BrokenPipe("gone")]
    ) {
      if (args[0] === "exec" && thrown instanceof Deno.errors.BrokenPipe) continue;
      await t.step(`${name}: ${thrown.message}`, async () => {
        const environment = fakeEnvironment({
          args,
          cwd: dir.path,
          env: { HOME: dir.path, PATH: "/bin:/usr/bin" },
        });
        const mute = Object.assign(environment, {
          stderr() {
            throw thrown;
          },
        });
        assert.equal(await main(mute), 0);
        if (args.includes("sh")) {
          assert.equal(Deno.readTextFileSync(dir.join("out")), "done\n");
          Deno.removeSync(dir.join("out"));
        }
      });
    }
  }
});
