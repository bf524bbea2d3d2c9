import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { tempDir } from "../../test/helpers/temp.ts";
import { chunks, openTestStore } from "../../test/fault/pack_store.ts";
import { checkTablesFile } from "./open_tables.ts";

const RECORDS = chunks(0, 50);
const IDS = RECORDS.map(({ id }) => id);

/** Tables that count as large, of a process that was killed. */
async function killed(dir: string) {
  const open = () => openTestStore(dir, { checkFirstBytes: 0 });
  {
    await using store = await open();
    await store.writer.commitRecords(undefined, chunks(0, 50));
  }
  change(dir, "UPDATE meta SET value = 0 WHERE key = 'clean'");
  return open;
}

function change(dir: string, sql: string): void {
  const db = new DatabaseSync(`${dir}/packs.sqlite`);
  db.exec(sql);
  db.close();
}

Deno.test("large tables are used at once after a kill, and are due for a check until one is over", async () => {
  await using dir = await tempDir();
  const open = await killed(dir.path);
  for (let start = 0; start < 2; start++) {
    await using store = await open();
    assert.ok(store.writer.check.due, `start ${start}`);
    assert.ok(store.reader.has("chunk", IDS).every((here) => here));
  }
  {
    await using store = await open();
    assert.equal(checkTablesFile(dir.path), undefined, "beside the one who writes");
    store.writer.check.settle(undefined);
  }
  await using store = await open();
  assert.ok(!store.writer.check.due, "checked, and closed well");
});

Deno.test("what a late check of the tables finds makes the next start read the packs again", async () => {
  await using dir = await tempDir();
  const open = await killed(dir.path);
  {
    await using store = await open();
    store.writer.check.settle("a row is missing from an index");
    assert.deepEqual(store.events.map(({ type }) => type), ["tables_damaged"]);
  }
  await using store = await open();
  assert.ok(store.events.some(({ type }) => type === "rebuilt"));
  assert.ok(!store.writer.check.due);
  assert.ok(store.reader.has("chunk", IDS).every((here) => here));
});
