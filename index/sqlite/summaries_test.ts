/** Summaries of tables: what a start takes over of them, and that it is right whatever happened. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { encodeTombstone } from "../../codec/entry_record.ts";
import { noSeal } from "../../codec/seal.ts";
import { toHex } from "../../core/digest.ts";
import type { SummaryView } from "../../core/summary/trie.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import type { TempDir } from "../../test/helpers/temp.ts";
import { draft, indexWorld, keyed } from "../../test/suites/metadata_index_world.ts";
import { openWriter } from "../../test/suites/open_index.ts";
import type { IndexWriter } from "../contract.ts";
import { MemoryLog } from "../memory_log.ts";
import { prepareChanges } from "./changes.ts";
import { SCHEMA } from "./schema.ts";
import { Summaries } from "./summaries.ts";

const COUNT = 3000;

async function put(index: IndexWriter, from: number, to: number, cost = 0): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, at) => from + at);
  await index.commit({ entries: numbers.map((no) => draft(`k${no}`, { cost })) });
}

async function rootOf(index: IndexWriter): Promise<string> {
  return toHex((await index.summary("default", "main")).root());
}

/** What the tables hash to when nothing of it was ever written down. */
async function freshRoot(dir: TempDir, path: string): Promise<string> {
  const copy = dir.join("fresh.sqlite");
  for (const suffix of ["", "-wal"]) {
    await Deno.copyFile(path + suffix, copy + suffix).catch(() => {}); // a closed one has no WAL
  }
  const db = new DatabaseSync(copy);
  db.exec(`DELETE FROM summaries; DELETE FROM summary_gone`);
  db.close();
  // With a log of its own that goes no further than the tables do: nothing is replayed.
  const world = indexWorld();
  const log = new MemoryLog();
  log.end = () => ({ segment: 2 ** 30, offset: 0 });
  log.scan = async function* () {};
  const index = await openWriter(world, { path: copy, log });
  const root = await rootOf(index);
  await index[Symbol.asyncDispose]();
  for (const suffix of ["", "-wal", "-shm"]) await Deno.remove(copy + suffix).catch(() => {});
  return root;
}

function rows(path: string): { summaries: number; gone: number } {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return {
      summaries: Number(db.prepare(`SELECT count(*) AS n FROM summaries`).get()?.n),
      gone: Number(db.prepare(`SELECT count(*) AS n FROM summary_gone`).get()?.n),
    };
  } finally {
    db.close();
  }
}

Deno.test("Summaries: a start takes over what the last close wrote down", async () => {
  await using dir = await tempDir();
  const [world, log, path] = [indexWorld(), new MemoryLog(), dir.join("index.sqlite")];
  const first = await openWriter(world, { path, log });
  await put(first, 0, COUNT);
  const root = await rootOf(first);
  await first[Symbol.asyncDispose]();
  assert.deepEqual(rows(path), { summaries: 1, gone: 0 });
  // Were the ids looked at, the root would be another: so it was taken from what is written down.
  const db = new DatabaseSync(path);
  db.exec(`UPDATE entries SET item = x'00000000000000000000000000000000' WHERE sequence = 7`);
  db.close();
  await using second = await openWriter(world, { path, log });
  assert.equal(await rootOf(second), root);
});

Deno.test("Summaries: what came and went after the last close counts, asked for or not", async () => {
  await using dir = await tempDir();
  const [world, log, path] = [indexWorld(), new MemoryLog(), dir.join("index.sqlite")];
  let index = await openWriter(world, { path, log });
  await put(index, 0, COUNT);
  await rootOf(index);
  for (const asked of [false, true, false]) {
    await index[Symbol.asyncDispose]();
    assert.deepEqual(rows(path), { summaries: 1, gone: 0 });
    index = await openWriter(world, { path, log });
    if (asked) await rootOf(index);
    await put(index, COUNT, COUNT + 20);
    await put(index, 100, 120, 5);
    await index.delete([keyed("k0"), keyed("k1"), keyed("k2")]);
    if (!asked) assert.ok(rows(path).gone >= 20);
    assert.equal(await rootOf(index), await freshRoot(dir, path));
  }
  await index[Symbol.asyncDispose]();
});

Deno.test("Summaries: a crash takes nothing from them", async () => {
  await using dir = await tempDir();
  const [world, log, path] = [indexWorld(), new MemoryLog(), dir.join("index.sqlite")];
  const first = await openWriter(world, { path, log });
  await put(first, 0, COUNT);
  await rootOf(first);
  await first[Symbol.asyncDispose]();
  const running = await openWriter(world, { path, log });
  await put(running, 50, 60, 1);
  await put(running, COUNT, COUNT + 10);
  await running.delete([keyed("k7")]);
  // As it stands on the disk at this moment, WAL and all.
  const crashed = dir.join("crashed.sqlite");
  for (const suffix of ["", "-wal"]) await Deno.copyFile(path + suffix, crashed + suffix);
  const root = await rootOf(running);
  await running[Symbol.asyncDispose]();
  await using second = await openWriter(world, { path: crashed, log });
  assert.equal(await rootOf(second), root);
  assert.equal(root, await freshRoot(dir, path));
});

Deno.test("Summaries: what has rotted of them is made again", async () => {
  await using dir = await tempDir();
  const [world, log, path] = [indexWorld(), new MemoryLog(), dir.join("index.sqlite")];
  const first = await openWriter(world, { path, log });
  await put(first, 0, COUNT);
  await rootOf(first);
  await first[Symbol.asyncDispose]();
  const again = await openWriter(world, { path, log });
  await put(again, 0, 5, 1); // not asked for, so that ids are noted
  await again[Symbol.asyncDispose]();
  const root = await freshRoot(dir, path);
  for (
    const rot of [
      `UPDATE summary_gone SET item = x'11111111111111111111111111111111' WHERE no = 1`,
      `UPDATE summaries SET sequence = sequence + 100`,
      `UPDATE summaries SET body = x'0100' || substr(body, 3)`,
      `UPDATE summaries SET body = x''`,
    ]
  ) {
    const copy = dir.join("rotten.sqlite");
    await Deno.copyFile(path, copy);
    const db = new DatabaseSync(copy);
    db.exec(rot);
    db.close();
    const index = await openWriter(world, { path: copy, log });
    assert.equal(await rootOf(index), root, rot);
    await index[Symbol.asyncDispose]();
  }
});

Deno.test("Summaries: a batch that failed leaves no trace", async () => {
  const [world, log] = [indexWorld(), new MemoryLog()];
  await using index = await openWriter(world, { path: ":memory:", log });
  await put(index, 0, 200);
  const root = await rootOf(index);
  await assert.rejects(index.commit({
    entries: [draft("new"), draft("k1", { mutability: "immutable" })],
  }));
  assert.equal(await rootOf(index), root);
});

Deno.test("Summaries: a transaction that is taken back takes back what was noted and written down", () => {
  const db = new DatabaseSync(":memory:");
  for (const statement of SCHEMA) db.exec(statement);
  const summaries = new Summaries(db);
  const trie = summaries.of(1);
  const add = db.prepare(`INSERT INTO entries VALUES (?, 1, ?, 1, 0, ?, 0, x'')`);
  const item = (no: number) => new Uint8Array(16).fill(no);
  const empty = toHex(trie.root());
  db.exec("BEGIN");
  add.run(item(1), 1, item(1));
  summaries.changed(1, { came: item(1) });
  summaries.save(1, 1);
  summaries.raiseHorizon(5n);
  assert.notEqual(toHex(trie.root()), empty);
  db.exec("ROLLBACK");
  summaries.rolledBack();
  assert.equal(toHex(trie.root()), empty);
  assert.equal(summaries.horizon, 0n);
  summaries.changed(1, { went: item(1) });
  assert.equal(db.prepare(`SELECT count(*) AS n FROM summary_gone`).get()?.n, 0);
  assert.deepEqual(summaries.unsaved(), [1]);
  db.close();
});

Deno.test("Summaries: hear of it when a transaction of the index fails", () => {
  const db = new DatabaseSync(":memory:");
  for (const statement of SCHEMA) db.exec(statement);
  const changes = prepareChanges(db, { keys: indexWorld().keys, seal: noSeal });
  assert.throws(() =>
    changes.transaction(() => {
      changes.summaries.raiseHorizon(5n);
      throw new Error("no room");
    })
  );
  assert.equal(changes.summaries.horizon, 0n);
  changes.transaction(() => changes.summaries.raiseHorizon(5n));
  assert.equal(changes.summaries.horizon, 5n);
  db.close();
});

Deno.test("Summaries: entries that are forgotten go without a tombstone", async () => {
  const [world, log] = [indexWorld(), new MemoryLog()];
  await using index = await openWriter(world, { path: ":memory:", log });
  await put(index, 0, 200);
  const view: SummaryView = await index.summary("default", "main");
  const root = toHex(view.root());
  await index.put(draft("gone"));
  await index.delete([keyed("gone")]);
  assert.equal(view.count(""), 201);
  world.clock.advance(31 * 24 * 60 * 60 * 1000);
  await index.compact({ force: true });
  assert.equal(view.count(""), 200);
  assert.equal(toHex(view.root()), root);
});

Deno.test("Summaries: the horizon outlives a restart, and holds for tombstones from elsewhere", async () => {
  await using dir = await tempDir();
  const [world, log, path] = [indexWorld(), new MemoryLog(), dir.join("index.sqlite")];
  const first = await openWriter(world, { path, log });
  await put(first, 0, 100);
  await first.delete([keyed("k0")]);
  world.clock.advance(10_000);
  const horizon = BigInt(world.clock.now()) * 65_536n;
  const root = toHex((await first.summary("default", "main", { horizon })).root());
  assert.equal((await first.summary("default", "main")).count(""), 99);
  await first[Symbol.asyncDispose]();
  // One that comes late, as from a peer or from a log that is read again.
  const late = { epoch: 0, hlc: horizon - 1n, device: world.device };
  const context = { keys: world.keys, seal: noSeal };
  await log.append([encodeTombstone(keyed("late"), late, context).record]);
  await using second = await openWriter(world, { path, log });
  assert.equal(await rootOf(second), root);
  assert.equal(root, await freshRoot(dir, path));
  const timely = { ...late, hlc: horizon };
  await log.append([encodeTombstone(keyed("timely"), timely, context).record]);
  await second[Symbol.asyncDispose]();
  await using third = await openWriter(world, { path, log });
  assert.equal((await third.summary("default", "main")).count(""), 100);
});
