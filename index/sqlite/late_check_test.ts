import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { tempDir } from "../../test/helpers/temp.ts";
import { draft, indexWorld, keyed, scanned } from "../../test/suites/metadata_index_world.ts";
import { openWriter } from "../../test/suites/open_index.ts";
import { MemoryLog } from "../memory_log.ts";
import { checkIndexFile } from "./open_file.ts";

/** An index that counts as large, and whose process was killed. */
async function killed(dir: string) {
  const world = indexWorld();
  const files = { path: `${dir}/index.sqlite`, log: new MemoryLog(), checkFirstBytes: 0 };
  {
    await using index = await openWriter(world, files);
    await index.commit({ entries: Array.from({ length: 100 }, (_, n) => draft(`key ${n}`)) });
  }
  change(files.path, "UPDATE meta SET value = 0 WHERE name = 'trust'");
  return { world, ...files, open: () => openWriter(world, files) };
}

function change(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
}

Deno.test("a large index is used at once after a kill, and is due for a check until one is over", async () => {
  await using dir = await tempDir();
  const { path, open } = await killed(dir.path);
  for (let start = 0; start < 2; start++) {
    await using index = await open();
    assert.ok(index.check.due, `start ${start}`);
    assert.ok(await index.get(keyed("key 7")));
  }
  {
    await using index = await open();
    assert.equal(checkIndexFile(path), undefined, "beside the one who writes");
    index.check.settle(undefined);
  }
  await using index = await open();
  assert.ok(!index.check.due, "checked, and closed well");
});

Deno.test("what a late check finds makes the next start read the log again", async () => {
  await using dir = await tempDir();
  const { world, path, open } = await killed(dir.path);
  change(path, "UPDATE entries SET record = zeroblob(length(record)) WHERE sequence = 8");
  {
    await using index = await open();
    const problem = checkIndexFile(path);
    assert.match(problem!, /entries/);
    assert.deepEqual(world.reports, []);
    index.check.settle(problem);
    assert.equal(world.reports.length, 1);
  }
  await using index = await open();
  assert.ok(await index.get(keyed("key 7")));
  assert.equal((await scanned(index)).length, 100);
});

Deno.test("a small index is checked before it is used", async () => {
  await using dir = await tempDir();
  const { world, path, log } = await killed(dir.path);
  change(path, "UPDATE entries SET record = zeroblob(length(record)) WHERE sequence = 8");
  await using index = await openWriter(world, { path, log });
  assert.equal(world.reports.length, 1);
  assert.ok(!index.check.due);
  assert.ok(await index.get(keyed("key 7")));
});
