import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { CacheError } from "../../core/errors.ts";
import type { LogPosition, LogRecord } from "../../core/record.ts";
import { assertNoLeaks } from "../../test/helpers/leaks.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import {
  blob,
  draft,
  indexWorld,
  keyed,
  keysOf,
  putWhole,
  refused,
  scanned,
  settle,
} from "../../test/suites/metadata_index_world.ts";
import { openReader, openWriter } from "../../test/suites/open_index.ts";
import { MemoryLog } from "../memory_log.ts";
import { TOMBSTONE_KEEP_MS } from "./compaction.ts";

/** A log whose writes can be held, counted, and made to fail. */
class HeldLog extends MemoryLog {
  readonly appends: number[] = [];
  fail: CacheError | undefined;
  gate: Promise<void> = Promise.resolve();

  override async append(records: readonly LogRecord[]): Promise<LogPosition> {
    this.appends.push(records.length);
    await this.gate;
    if (this.fail) throw this.fail;
    return await super.append(records);
  }
  override async compact(records: Iterable<LogRecord>): Promise<LogPosition> {
    await this.gate;
    if (this.fail) throw this.fail;
    return await super.compact(records);
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

Deno.test("IndexWriter.commit() gathers what comes during an append into one more", async () => {
  const world = indexWorld();
  const log = new HeldLog();
  await using index = await openWriter(world, { path: ":memory:", log });
  const gate = Promise.withResolvers<void>();
  log.gate = gate.promise;
  const first = index.put(draft("first"));
  await turns();
  assert.deepEqual(log.appends, [1]);
  const later = Array.from({ length: 30 }, (_, at) => index.put(draft(`k${at}`)));
  await turns();
  assert.deepEqual(log.appends, [1], "the second waits for the first");
  assert.equal(await index.get(keyed("first")), undefined, "not seen before it is durable");
  gate.resolve();
  await first;
  await Promise.all(later);
  assert.deepEqual(log.appends, [1, 30]);
});

Deno.test("IndexWriter.commit() fails with its append and changes nothing", async () => {
  const world = indexWorld();
  const log = new HeldLog();
  await using index = await openWriter(world, { path: ":memory:", log });
  const { entry } = await putWhole(index, draft("k", { blobs: [blob("1")] }));
  log.fail = new CacheError("quota_exceeded", "Cannot write: the disk is full");
  const failed = await Promise.allSettled([
    index.put(draft("k", { cost: 2 })),
    index.delete([keyed("k")]),
    putWhole(index, draft("other", { blobs: [blob("2")] })),
  ]);
  for (const result of failed) {
    assert.equal(result.status === "rejected" && result.reason.kind, "quota_exceeded");
  }
  assert.deepEqual(await index.get(keyed("k")), entry);
  assert.deepEqual(index.totals(), { entries: 1, blobs: 1, logical_bytes: 1 });
  assert.deepEqual(await index.replacements(keyed("k")), []);
  log.fail = undefined;
  const next = await index.put(draft("k", { cost: 3 }));
  assert.equal(next.entry.sequence, 2);
  assert.deepEqual(next.replaced, entry);
  assert.equal(next.entry.stamp.hlc > entry.stamp.hlc + 2n, true, "no stamp is given twice");
});

Deno.test("IndexWriter.commit() catches up when a transaction failed behind its append", async () => {
  await using dir = await tempDir();
  const path = dir.join("index.sqlite");
  const world = indexWorld();
  const log = new MemoryLog();
  await using index = await openWriter(world, { path, log });
  await putWhole(index, draft("a", { blobs: [blob("1")] }));
  using other = new DatabaseSync(path);
  other.exec(`CREATE TRIGGER no BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'no'); END`);
  const fresh = draft("k", { namespace: "fresh", scope: "pr/1", blobs: [blob("3")] });
  await Promise.all([
    refused("internal", () => putWhole(index, draft("b", { blobs: [blob("2")] }))),
    refused("internal", () => putWhole(index, fresh)),
  ]);
  await refused("internal", () => index.put(draft("a", { mutability: "immutable" })));
  assert.deepEqual(index.totals(), { entries: 1, blobs: 1, logical_bytes: 1 });
  other.exec(`DROP TRIGGER no`);
  // What is in the log counts: "b" is there, so an immutable put of it is a conflict.
  await refused("conflict", () => index.put(draft("b", { mutability: "immutable" })));
  assert.deepEqual(index.totals(), { entries: 3, blobs: 3, logical_bytes: 3 });
  assert.equal((await index.put(draft("c"))).entry.sequence, 4);
  // The numbers that namespaces had in the failed transaction are not taken for good.
  await using reader = openReader(world, path, index.filter);
  assert.equal((await reader.get(fresh))?.sequence, 3);
  assert.equal((await reader.summarize("fresh", "pr/1", "")).count, 1);
});

Deno.test("IndexReader sees what the writer resolved at once, on a connection of its own", async () => {
  await using dir = await tempDir();
  const path = dir.join("index.sqlite");
  const world = indexWorld();
  await using index = await openWriter(world, { path, log: new MemoryLog() });
  await using reader = openReader(world, path, index.filter);
  for (let at = 0; at < 100; at++) {
    const key = keyed(`k${at}`, { namespace: `n${at % 7}`, scope: `s${at % 5}` });
    const { entry } = await putWhole(index, draft("", { ...key, blobs: [blob(`${at}`)] }));
    assert.deepEqual(await reader.get(key), entry);
    assert.deepEqual(reader.totals(), index.totals());
    const found = reader.visibility.find(key.namespace, [blob(`${at}`).digest]);
    assert.deepEqual(found, [blob(`${at}`).size]);
    if (at % 3 === 0) {
      await index.delete([key]);
      assert.equal(await reader.get(key), undefined);
    }
  }
  const all = { tombstones: true };
  assert.deepEqual(await Array.fromAsync(reader.scan(all)), await scanned(index, all));
  assert.deepEqual(
    await reader.summarize("n1", "s1", ""),
    await index.summarize("n1", "s1", ""),
  );
  assert.equal(reader.indexId(), index.indexId());
});

Deno.test("IndexReader holds no snapshot while a scan of it waits", async () => {
  await using dir = await tempDir();
  const path = dir.join("index.sqlite");
  const world = indexWorld();
  await using index = await openWriter(world, { path, log: new MemoryLog() });
  await index.commit({ entries: Array.from({ length: 600 }, (_, at) => draft(`k${at}`)) });
  await using reader = openReader(world, path, index.filter);
  const scan = reader.scan()[Symbol.asyncIterator]();
  await scan.next();
  await reader.get(keyed("k1"));
  await reader.summarize("default", "main", "");
  reader.visibility.list("default", undefined, 10);
  await index.put(draft("new"));
  using other = new DatabaseSync(path);
  const state = other.prepare(`PRAGMA wal_checkpoint(TRUNCATE)`).get();
  assert.deepEqual({ ...state }, { busy: 0, log: 0, checkpointed: 0 });
  await scan.return?.();
});

Deno.test("IndexReader refuses changes, and sends uses to the writer", async () => {
  await using dir = await tempDir();
  const path = dir.join("index.sqlite");
  const world = indexWorld();
  await using index = await openWriter(world, { path, log: new MemoryLog() });
  await index.put(draft("k"));
  const { openIndexReader } = await import("../open.ts");
  await using reader = openIndexReader({
    ...world.options(() => index.visibility),
    path,
    forwardTouch: (ids, at) => index.touchIds(ids, at),
  });
  await refused("unsupported", () => reader.put(draft("x")));
  await refused("unsupported", () => reader.delete([keyed("k")]));
  reader.touch([keyed("k")], 123);
  await settle(world);
  assert.equal((await reader.get(keyed("k")))?.used, 123);
});

Deno.test("IndexWriter and IndexReader leave no descriptor behind", async () => {
  await using dir = await tempDir();
  const path = dir.join("index.sqlite");
  const world = indexWorld();
  await assertNoLeaks(async () => {
    const index = await openWriter(world, { path, log: new MemoryLog() });
    const reader = openReader(world, path, index.filter);
    await index.put(draft("k"));
    await reader.get(keyed("k"));
    await index[Symbol.asyncDispose]();
    await reader[Symbol.asyncDispose]();
    await reader[Symbol.asyncDispose]();
    await refused("unavailable", () => reader.get(keyed("k")));
  });
});

Deno.test("openIndexReader() says that there is no file", async () => {
  await using dir = await tempDir();
  await refused("unavailable", async () => openReader(indexWorld(), dir.join("none.sqlite")));
});

Deno.test("IndexWriter.touch() waits in memory, on one timer, until a second has passed", async () => {
  const world = indexWorld();
  await using index = await openWriter(world, { path: ":memory:", log: new MemoryLog() });
  await index.put(draft("k"));
  for (let at = 1; at <= 100; at++) index.touch([keyed("k")], at);
  assert.equal(world.clock.sleeping, 1);
  assert.equal((await index.get(keyed("k")))?.used, 0);
  world.clock.advance(999);
  await turns();
  assert.equal((await index.get(keyed("k")))?.used, 0);
  world.clock.advance(1);
  await turns();
  assert.equal((await index.get(keyed("k")))?.used, 100);
  assert.equal(world.clock.sleeping, 0);
});

Deno.test("IndexWriter.compact() writes what is alive, and a rebuild from it is the same", async () => {
  const world = indexWorld();
  const log = new HeldLog();
  const index = await openWriter(world, { path: ":memory:", log });
  for (let at = 0; at < 30; at++) {
    await putWhole(index, draft(`k${at % 3}`, { blobs: [blob(`${at}`)], cost: at }));
  }
  await index.commit({ unlink: [{ namespace: "default", digest: blob("0").digest }] });
  await index.put(draft("dead"));
  await index.commit({ pin: [keyed("dead"), keyed("k1"), keyed("k2")], by: "anne" });
  await index.commit({ unpin: [keyed("k1")], by: "anne" });
  await index.delete([keyed("dead")]);
  assert.equal(await index.compact(), false, "a small log is not worth it");
  const state = async (of: typeof index) => ({
    totals: of.totals(),
    items: (await scanned(of, { tombstones: true, order: "sequence" })).map((item) => {
      const version = item.type === "entry" ? item.entry : item.tombstone;
      return { ...version, sequence: 0 };
    }),
    visible: of.visibility.list("default", undefined, 100),
    pins: of.pins().map(({ key, by }) => `${key.key} by ${by}`),
    shares: of.shares(),
    summary: await of.summarize("default", "main", ""),
  });
  const before = await state(index);
  assert.equal(await index.compact({ force: true }), true);
  assert.equal(log.size, 1 + 1 + 3 + 1, "a pin, a list of blobs, three entries, a tombstone");
  assert.deepEqual(await state(index), before);
  const again = await openWriter(world, { path: ":memory:", log });
  assert.deepEqual(await state(again), before);
  await again[Symbol.asyncDispose]();
  // Old tombstones go, and with them all that was known of the key.
  world.clock.advance(TOMBSTONE_KEEP_MS + 1000);
  await index.put(draft("young"));
  await index.delete([keyed("young")]);
  assert.equal(await index.compact({ force: true }), true);
  assert.deepEqual(await keysOf(index, { tombstones: true }), ["k0", "k1", "k2", "young"]);
  assert.equal((await index.summarize("default", "main", "")).count, 4);
  const { entry } = await index.put(draft("dead"));
  assert.equal(entry.sequence, 35, "sequences go on");
  await index[Symbol.asyncDispose]();
});

Deno.test("IndexWriter.compact() is due when the log is four times what is alive", async () => {
  const world = indexWorld();
  const log = new MemoryLog();
  await using index = await openWriter(world, { path: ":memory:", log });
  const headers = { "x-large": "x".repeat(100_000) };
  let compactions = 0;
  for (let at = 0; at < 40; at++) {
    await index.put(draft("k", { headers, cost: at }));
    if (await index.compact()) compactions++;
  }
  assert.equal(compactions, 2);
  assert.equal(log.size < 20, true);
  assert.equal((await index.get(keyed("k")))?.cost, 39);
});

Deno.test("IndexWriter.compact() that fails leaves log and index as they were", async () => {
  const world = indexWorld();
  const log = new HeldLog();
  await using index = await openWriter(world, { path: ":memory:", log });
  await index.put(draft("k", { cost: 1 }));
  await index.put(draft("k", { cost: 2 }));
  log.fail = new CacheError("quota_exceeded", "Cannot write: the disk is full");
  await refused("quota_exceeded", () => index.compact({ force: true }));
  log.fail = undefined;
  assert.equal(log.size, 2);
  assert.equal((await index.put(draft("k", { cost: 3 }))).entry.sequence, 3);
});

Deno.test("IndexWriter.compact() has the log to itself; commits go on behind it", async () => {
  const world = indexWorld();
  const log = new HeldLog();
  await using index = await openWriter(world, { path: ":memory:", log });
  await index.put(draft("a"));
  const gate = Promise.withResolvers<void>();
  log.gate = gate.promise;
  const compacting = index.compact({ force: true });
  const put = index.put(draft("b"));
  await turns();
  assert.deepEqual(log.appends, [1], "the put has not reached the log");
  gate.resolve();
  assert.equal(await compacting, true);
  await put;
  await using again = await openWriter(world, { path: ":memory:", log });
  assert.deepEqual(await keysOf(again), ["a", "b"]);
});
