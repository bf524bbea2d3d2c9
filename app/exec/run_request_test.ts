import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { execKey } from "./exec_key.ts";
import { FileDigests } from "./file_digests.ts";
import { runFacts } from "./run_request.ts";

/** The key of a run in `cwd` whose input is everything below `src`. */
function keyIn(cwd: string, outputs: readonly string[] = []): string {
  const request = {
    words: ["/bin/true"] as const,
    cwd,
    root: cwd,
    inputs: ["src"],
    outputs: outputs.map((name) => `${cwd}/${name}`),
    variables: [],
    salt: "",
    printed: true,
  };
  const digests = new FileDigests({ clock: systemClock, folder: undefined, step: "" });
  return execKey(runFacts(request, { env: () => undefined, digests }));
}

Deno.test("what is behind a link to a folder is part of the key, as is what is behind one to a file", async (t) => {
  await using dir = await tempDir();
  const cwd = Deno.realPathSync(dir.path);
  const write = (name: string, text: string) => {
    Deno.mkdirSync(`${cwd}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.writeTextFileSync(`${cwd}/${name}`, text);
  };
  write("src/own", "");
  write("shared/deep/file", "1");
  write("far/file", "1");
  Deno.symlinkSync("../shared", `${cwd}/src/folder`);
  Deno.symlinkSync("../../far", `${cwd}/shared/deep/further`);
  Deno.symlinkSync("..", `${cwd}/shared/deep/circle`);
  const first = keyIn(cwd);
  assert.equal(keyIn(cwd), first);
  await t.step("a file in it", () => {
    write("shared/deep/file", "2");
    const second = keyIn(cwd);
    assert.notEqual(second, first);
    write("shared/deep/new", "");
    assert.notEqual(keyIn(cwd), second);
  });
  await t.step("a file behind a link in it", () => {
    const before = keyIn(cwd);
    write("far/file", "2");
    assert.notEqual(keyIn(cwd), before);
  });
  await t.step("but nothing that the run writes", () => {
    const before = keyIn(cwd, ["shared/out"]);
    write("shared/out/file", "made");
    assert.equal(keyIn(cwd, ["shared/out"]), before);
  });
});
