import assert from "node:assert/strict";
import { tempDir } from "../../test/helpers/temp.ts";
import { TOOL_NAMES } from "../tools/build_tool.ts";
import { TOOLS } from "../tools/tool_table.ts";
import { findTools } from "./find_tools.ts";

const names = (from: string, path = "") => findTools(from, path).map(({ name }) => name);

Deno.test("findTools sees every tool by each of its marks", async () => {
  for (const name of TOOL_NAMES) {
    for (const mark of TOOLS[name].marks) {
      await using dir = await tempDir();
      await Deno.writeTextFile(`${dir.path}/${mark}`, "");
      assert.deepEqual(findTools(dir.path, ""), [{ name, by: mark }]);
    }
  }
});

Deno.test("findTools looks up to the repository's root and no further", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/repo/.git`, { recursive: true });
  await Deno.mkdir(`${dir.path}/repo/a/b`, { recursive: true });
  await Deno.writeTextFile(`${dir.path}/pom.xml`, "");
  await Deno.writeTextFile(`${dir.path}/repo/nx.json`, "");
  await Deno.writeTextFile(`${dir.path}/repo/a/go.mod`, "");
  assert.deepEqual(names(`${dir.path}/repo/a/b`), ["nx", "go"]);
});

Deno.test("findTools finds ccache on the PATH, and nothing in an empty folder", async () => {
  await using dir = await tempDir();
  assert.deepEqual(names(dir.path), []);
  await Deno.mkdir(`${dir.path}/bin`);
  await Deno.writeTextFile(`${dir.path}/bin/ccache`, "");
  assert.deepEqual(findTools(dir.path, `/nowhere::${dir.path}/bin`), [
    { name: "ccache", by: "ccache" },
  ]);
});
