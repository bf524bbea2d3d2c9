import assert from "node:assert/strict";
import { run } from "../../test/helpers/real_server.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import type { ToolFile } from "../tools/build_tool.ts";
import { readMarked, writeMarked } from "./settings_file.ts";

const HASH: ToolFile["remark"] = ["# ", ""];
const XML: ToolFile["remark"] = ["<!-- ", " -->"];
const WET = { dryRun: false };

async function git(cwd: string, ...words: string[]): Promise<void> {
  const { code, stderr } = await run(["git", "-C", cwd, ...words]);
  assert.equal(code, 0, stderr);
}

Deno.test("settings: a new file gets mode 0600, and its folder is made", async () => {
  await using dir = await tempDir();
  const file = { path: `${dir.path}/a/b/rc`, lines: ["x = 1"], remark: HASH };
  assert.equal(await writeMarked("bazel", file, WET), "written");
  const text = await Deno.readTextFile(file.path);
  assert.equal(text, "# vitte-remote-cache bazel: begin\nx = 1\n# vitte-remote-cache bazel: end\n");
  assert.equal((await Deno.stat(file.path)).mode! & 0o777, 0o600);
});

Deno.test("settings: a second run replaces our lines and leaves those of the user", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/rc`;
  await Deno.writeTextFile(path, "before = 1", { mode: 0o644 });
  const file = { path, lines: ["x = 1"], remark: HASH };
  await writeMarked("bazel", file, WET);
  await Deno.writeTextFile(path, `${await Deno.readTextFile(path)}after = 1\n`);
  const again = { ...file, lines: ["x = 2", "y = 2"] };
  assert.equal(await writeMarked("bazel", again, WET), "written");
  assert.equal(
    await Deno.readTextFile(path),
    "before = 1\n# vitte-remote-cache bazel: begin\nx = 2\ny = 2\n" +
      "# vitte-remote-cache bazel: end\nafter = 1\n",
  );
  assert.equal(await writeMarked("bazel", again, WET), "unchanged");
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
});

Deno.test("settings: two tools share a file, each with lines of its own", async () => {
  await using dir = await tempDir();
  const file = (line: string) => ({ path: `${dir.path}/env.sh`, lines: [line], remark: HASH });
  await writeMarked("nx", file("export A=1"), WET);
  await writeMarked("rush", file("export B=1"), WET);
  await writeMarked("nx", file("export A=2"), WET);
  assert.match(await readMarked("nx", file("")) ?? "", /export A=2\n/);
  assert.match(await readMarked("rush", file("")) ?? "", /export B=1\n/);
  assert.equal(await readMarked("go", file("")), undefined);
});

Deno.test("settings: XML that is there is left alone, unless our lines are in it", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/settings.xml`;
  const around = ["<settings>\n", "</settings>\n"] as const;
  const file = { path, lines: ["<a/>"], remark: XML, around };
  await Deno.writeTextFile(path, "<settings><mine/></settings>\n");
  assert.equal(await writeMarked("maven", file, WET), "by hand");
  assert.equal(await Deno.readTextFile(path), "<settings><mine/></settings>\n");
  await Deno.remove(path);
  await writeMarked("maven", file, WET);
  assert.equal(await writeMarked("maven", { ...file, lines: ["<b/>"] }, WET), "written");
  const text = await Deno.readTextFile(path);
  assert.ok(text.startsWith("<settings>\n<!-- vitte-remote-cache maven: begin -->\n<b/>\n"), text);
});

Deno.test("settings: a dry run writes nothing and makes no folder", async () => {
  await using dir = await tempDir();
  const file = { path: `${dir.path}/a/rc`, lines: ["x"], remark: HASH };
  assert.equal(await writeMarked("bazel", file, { dryRun: true }), "written");
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
});

Deno.test("settings: no secret goes to a file that Git tracks, or would", async (t) => {
  await using dir = await tempDir();
  await git(dir.path, "init", "-q");
  const file = (name: string) => ({ path: `${dir.path}/${name}`, lines: ["x"], remark: HASH });
  await t.step("tracked", async () => {
    await Deno.writeTextFile(`${dir.path}/.bazelrc`, "mine\n");
    await git(dir.path, "add", ".bazelrc");
    assert.equal(await writeMarked("bazel", file(".bazelrc"), WET), "refused");
    assert.equal(await Deno.readTextFile(`${dir.path}/.bazelrc`), "mine\n");
  });
  await t.step("untracked", async () => {
    assert.equal(await writeMarked("bazel", file("new"), WET), "refused");
    assert.equal(await writeMarked("bazel", file("new"), { dryRun: true }), "refused");
  });
  await t.step("behind a link", async () => {
    await using home = await tempDir();
    const path = `${home.path}/.bazelrc`;
    await Deno.symlink(`${dir.path}/.bazelrc`, path);
    const linked = { path, lines: ["x"], remark: HASH };
    assert.equal(await writeMarked("bazel", linked, WET), "refused");
  });
  await t.step("in a repository that Git refuses to look into", async () => {
    await using other = await tempDir();
    await git(other.path, "init", "-q");
    const tracked = { path: other.join("rc"), lines: ["x"], remark: HASH };
    await Deno.writeTextFile(tracked.path, "mine\n");
    await git(other.path, "add", "rc");
    await git(other.path, "config", "core.repositoryFormatVersion", "99");
    assert.equal(await writeMarked("bazel", tracked, WET), "refused");
    assert.equal(await Deno.readTextFile(tracked.path), "mine\n");
  });
  await t.step("ignored is fine", async () => {
    await Deno.writeTextFile(`${dir.path}/.gitignore`, "secret\n");
    assert.equal(await writeMarked("bazel", file("secret"), WET), "written");
  });
});

Deno.test("settings: a link outside of repositories stays one", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/rc`;
  await Deno.writeTextFile(`${dir.path}/real`, "mine\n");
  await Deno.symlink(`${dir.path}/real`, path);
  await writeMarked("bazel", { path, lines: ["x"], remark: HASH }, WET);
  assert.ok((await Deno.lstat(path)).isSymlink);
  assert.match(await Deno.readTextFile(`${dir.path}/real`), /^mine\n# .*\nx\n/);
});
