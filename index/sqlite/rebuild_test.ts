import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { encodeEntry, encodeTombstone } from "../../codec/entry_record.ts";
import { noSeal } from "../../codec/seal.ts";
import { encodeVisibility } from "../../codec/visibility_record.ts";
import type { CacheError } from "../../core/errors.ts";
import type { LogRecord } from "../../core/record.ts";
import { everyNth, longOr } from "../../test/helpers/long.ts";
import { assertNoLeaks } from "../../test/helpers/leaks.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";
import type { TempDir } from "../../test/helpers/temp.ts";
import {
  blob,
  draft,
  indexWorld,
  keyed,
  keysOf,
  putWhole,
  refused,
  scanned,
} from "../../test/suites/metadata_index_world.ts";
import type { IndexWorld } from "../../test/suites/metadata_index_world.ts";
import { openWriter } from "../../test/suites/open_index.ts";
import type { IndexWriter } from "../contract.ts";
import { MemoryLog } from "../memory_log.ts";
import { openIndexWriter } from "../open.ts";

/** A folder with an index of 300 entries that was closed, and what it answers. */
async function closedIndex(dir: TempDir, world: IndexWorld) {
  const path = dir.join("index.sqlite");
  const log = new MemoryLog();
  const index = await openWriter(world, { path, log });
  const entries = Array.from(
    { length: 300 },
    (_, at) => draft(`key ${at}`, { blobs: [blob(`body ${at}`)], inputs: { file: `${at}` } }),
  );
  const link = entries.flatMap(({ blobs, namespace }) =>
    blobs.map((one) => ({ namespace, blob: one }))
  );
  await index.commit({ entries, link });
  await index.delete([keyed("key 7")]);
  const whole = await answers(index);
  await index[Symbol.asyncDispose]();
  return { path, log, whole };
}

async function answers(index: Awaited<ReturnType<typeof openWriter>>) {
  return {
    totals: index.totals(),
    items: await scanned(index, { tombstones: true }),
    visible: index.visibility.list("default", undefined, 1000),
    summary: await index.summarize("default", "main", ""),
  };
}

Deno.test("openIndexWriter() rebuilds many entries from the log", async () => {
  const world = indexWorld();
  const context = { keys: world.keys, seal: noSeal };
  const log = new MemoryLog();
  const count = longOr(100_000, 5000);
  const device = world.device;
  let records: LogRecord[] = [];
  for (let at = 0; at < count; at++) {
    const body = { digest: blob(String(at % 1000)).digest, size: 3 };
    const facts = draft(`some/path/of/a/target/number-${at}`, { blobs: [body] });
    records.push(encodeEntry(facts, { epoch: 0, hlc: BigInt(at + 1), device }, context).record);
    if (at < 1000) {
      const change = { namespace: "default", linked: true, blobs: [body] };
      records.push(encodeVisibility(change, context));
    }
    if (records.length >= 10_000) {
      await log.append(records);
      records = [];
    }
  }
  const gone = { epoch: 0, hlc: BigInt(count + 1), device };
  const key = keyed("some/path/of/a/target/number-5");
  await log.append([...records, encodeTombstone(key, gone, context).record]);
  await using dir = await tempDir();
  const begun = performance.now();
  await using index = await openWriter(world, { path: dir.join("index.sqlite"), log });
  const ms = performance.now() - begun;
  console.log(`rebuilt ${count} entries in ${Math.round(ms)} ms`);
  assert.deepEqual(index.totals(), { entries: count - 1, blobs: 1000, logical_bytes: 3000 });
  assert.equal((await index.summarize("default", "main", "")).count, count);
  assert.equal(await index.get(key), undefined);
  assert.equal(
    (await index.get({ ...key, key: `some/path/of/a/target/number-${count - 1}` }))?.sequence,
    count,
  );
});

Deno.test("openIndexWriter() loses nothing when the file is deleted", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const { path, log, whole } = await closedIndex(dir, world);
  await Deno.remove(path);
  await using index = await openWriter(world, { path, log });
  assert.deepEqual(await answers(index), whole);
  assert.deepEqual(world.reports.map(({ kind }) => kind), ["not_found"], "told, and no damage");
});

Deno.test("openIndexWriter() makes a truncated file anew and sets it aside", async () => {
  for (const part of [0.99, 0.5, 0.1, 0.003]) {
    await using dir = await tempDir();
    const world = indexWorld();
    const { path, log, whole } = await closedIndex(dir, world);
    const { size } = await Deno.stat(path);
    await Deno.truncate(path, Math.floor(size * part));
    await using index = await openWriter(world, { path, log });
    assert.deepEqual(await answers(index), whole, `cut to ${part}`);
    assert.equal(world.reports.length, 1);
    assert.equal(world.reports[0]?.kind, "corrupt");
    assert.equal((await listFiles(dir.path)).includes("index.sqlite.damaged-1"), true);
  }
});

Deno.test("openIndexWriter() loses nothing when bytes of the file are flipped", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const { path, log, whole } = await closedIndex(dir, world);
  const bytes = await Deno.readFile(path);
  let noticed = 0;
  const places: number[] = [];
  // Every 1,009th byte, so that all kinds of pages and all parts of them are met.
  for (let at = 13; at < bytes.length; at += 4 * 1009) places.push(at);
  const tried = everyNth(places, 5);
  for (const at of tried) {
    const wrong = bytes.slice();
    wrong[at] = wrong[at]! ^ 0x24;
    await Deno.writeFile(path, wrong);
    world.reports.length = 0;
    await assertNoLeaks(async () => {
      const index = await openWriter(world, { path, log });
      assert.deepEqual(await answers(index), whole, `byte ${at} of ${bytes.length}`);
      await index[Symbol.asyncDispose]();
    });
    noticed += world.reports.length;
  }
  console.log(`${noticed} of ${tried.length} flipped bytes were noticed`);
  assert.ok(noticed > tried.length / 4);
});

Deno.test("openIndexWriter() makes a file that is no database anew", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const { path, log, whole } = await closedIndex(dir, world);
  for (const [at, text] of ["not a database ".repeat(1000), "x".repeat(600)].entries()) {
    await Deno.writeTextFile(path, text);
    const index = await openWriter(world, { path, log });
    assert.deepEqual(await answers(index), whole);
    await index[Symbol.asyncDispose]();
    assert.equal(world.reports.length, at + 1);
  }
  const files = await listFiles(dir.path);
  const aside = [1, 2].map((n) => `index.sqlite.damaged-${n}`);
  assert.deepEqual(files, ["index.sqlite", ...aside]);
  // An empty file is what a crash right after its creation leaves: nothing to report.
  await Deno.writeTextFile(path, "");
  await using index = await openWriter(world, { path, log });
  assert.deepEqual(await answers(index), whole);
  assert.equal(world.reports.length, 2);
});

Deno.test("openIndexWriter() finds a rotten row when it is read, and mends it at the next start", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const { path, log, whole } = await closedIndex(dir, world);
  const index = await openWriter(world, { path, log });
  const db = new DatabaseSync(path);
  db.exec(`UPDATE entries SET record = zeroblob(length(record)) WHERE sequence = 9`);
  db.close();
  const [rotten] = whole.items.filter((item) => item.type === "entry" && item.entry.sequence === 9);
  assert.equal(rotten?.type, "entry");
  const key = (rotten as Extract<typeof rotten, { type: "entry" }>).entry;
  assert.equal(await index.get(key), undefined);
  assert.equal((await scanned(index, { tombstones: true })).length, whole.items.length - 1);
  await refused("corrupt", () => index.compact({ force: true }));
  await index[Symbol.asyncDispose]();
  assert.equal(world.reports.every(({ kind }) => kind === "corrupt"), true);
  await using again = await openWriter(world, { path, log });
  assert.deepEqual(await answers(again), whole);
});

Deno.test("openIndexWriter() refuses a newer schema, names both versions, touches nothing", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const { path, log } = await closedIndex(dir, world);
  const db = new DatabaseSync(path);
  db.exec(`UPDATE meta SET value = 99 WHERE name = 'schema'`);
  db.close();
  const error = await assertNoLeaks(() =>
    refused("unsupported", () => openWriter(world, { path, log }))
  );
  assert.match(error.message, /version 99, want 2/);
  assert.deepEqual(await listFiles(dir.path), ["index.sqlite"]);
});

Deno.test("openIndexWriter() makes the file of other keys anew", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const { path } = await closedIndex(dir, world);
  const reports: CacheError[] = [];
  const index: IndexWriter = await openIndexWriter({
    ...world.options(() => index.visibility),
    keys: { indexKey: new Uint8Array(32).fill(8) },
    path,
    log: new MemoryLog(),
    report: (error) => void reports.push(error),
  });
  assert.match(reports[0]?.message ?? "", /made with other keys/);
  assert.equal(index.totals().entries, 0);
  await index[Symbol.asyncDispose]();
});

Deno.test("openIndexWriter() makes a file that is ahead of its log anew", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const { path } = await closedIndex(dir, world);
  await using index = await openWriter(world, { path, log: new MemoryLog() });
  assert.deepEqual(index.totals(), { entries: 0, blobs: 0, logical_bytes: 0 });
  assert.deepEqual(await keysOf(index, { tombstones: true }), []);
  assert.match(world.reports[0]?.message ?? "", /ahead of its log/);
});

Deno.test("openIndexWriter() skips and reports a record that it cannot read", async () => {
  const world = indexWorld();
  const context = { keys: world.keys, seal: noSeal };
  const log = new MemoryLog();
  const version = { epoch: 0, hlc: 1n, device: world.device };
  const good = encodeEntry(draft("good"), version, context).record;
  const bad = encodeEntry(draft("bad"), version, context).record;
  bad.body[bad.body.length - 1]! ^= 1;
  const strange = { ...encodeEntry(draft("strange"), version, context).record, id: good.id };
  await log.append([bad, strange, good]);
  await using index = await openWriter(world, { path: ":memory:", log });
  assert.deepEqual(await keysOf(index), ["good"]);
  assert.deepEqual(world.reports.map(({ kind }) => kind), ["corrupt", "corrupt"]);
});

Deno.test("openIndexWriter() refuses a log record of a newer program", async () => {
  const world = indexWorld();
  const log = new MemoryLog();
  const version = { epoch: 0, hlc: 1n, device: world.device };
  const { record } = encodeEntry(draft("k"), version, { keys: world.keys, seal: noSeal });
  record.body[0] = 2;
  await log.append([record]);
  await assertNoLeaks(() =>
    refused("unsupported", () => openWriter(world, { path: ":memory:", log }))
  );
});

Deno.test("openIndexWriter() lets the newest stamp win, tombstones too, in any order", async () => {
  const world = indexWorld();
  const context = { keys: world.keys, seal: noSeal };
  const version = (hlc: bigint, epoch = 0) => ({ epoch, hlc, device: world.device });
  const log = new MemoryLog();
  await log.append([
    encodeTombstone(keyed("dead"), version(5n), context).record,
    encodeEntry(draft("dead"), version(4n), context).record,
    encodeEntry(draft("alive", { cost: 2 }), version(9n), context).record,
    encodeTombstone(keyed("alive"), version(8n), context).record,
    encodeEntry(draft("alive", { cost: 1 }), version(7n), context).record,
    encodeEntry(draft("epoch", { cost: 1 }), version(1n, 3), context).record,
    encodeEntry(draft("epoch", { cost: 2 }), version(100n, 2), context).record,
  ]);
  await using index = await openWriter(world, { path: ":memory:", log });
  assert.equal(await index.get(keyed("dead")), undefined);
  assert.equal((await index.get(keyed("alive")))?.cost, 2);
  assert.equal((await index.get(keyed("epoch")))?.cost, 1);
  assert.equal(index.totals().entries, 2);
  const { entry } = await putWhole(index, draft("epoch", { cost: 3 }));
  assert.equal(entry.stamp.epoch, 3, "no local change is older than what it replaces");
});

Deno.test("openIndexWriter() keeps uses and its id over a restart, and gives a new one a new id", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const path = dir.join("index.sqlite");
  const log = new MemoryLog();
  const first = await openWriter(world, { path, log });
  await first.put(draft("k"));
  first.touch([keyed("k")], 77);
  const id = first.indexId();
  await first[Symbol.asyncDispose]();
  const second = await openWriter(world, { path, log });
  assert.equal((await second.get(keyed("k")))?.used, 77);
  assert.equal(second.indexId(), id);
  await second[Symbol.asyncDispose]();
  await Deno.remove(path);
  await using third = await openWriter(world, { path, log });
  assert.notEqual(third.indexId(), id);
});

Deno.test("openIndexWriter() after a good close reads nothing of the log again", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const { path, log, whole } = await closedIndex(dir, world);
  const scan = log.scan.bind(log);
  let read = 0;
  log.scan = async function* (after) {
    for await (const row of scan(after)) {
      read++;
      yield row;
    }
  };
  await using index = await openWriter(world, { path, log });
  assert.equal(read, 0);
  assert.deepEqual(await answers(index), whole);
});
