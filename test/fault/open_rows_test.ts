/** Rows that wait for one commit of many rounds: who sees them, and what a failure takes away. */
import assert from "node:assert/strict";
import { Counters } from "../../core/counters.ts";
import { isKind } from "../../core/errors.ts";
import { RowsBehind, RowsBehindWriter } from "../../core/rows_behind.ts";
import { MemoryLog } from "../../index/memory_log.ts";
import { openFsStore } from "../../store/fs/fs_store.ts";
import { openPackReader } from "../../store/pack/reader.ts";
import type { PackReader } from "../../store/pack/reader.ts";
import { tempDir } from "../helpers/temp.ts";
import { blob, draft, indexWorld, keyed, putWhole } from "../suites/metadata_index_world.ts";
import { openReader, openWriter } from "../suites/open_index.ts";
import { assertInvariants } from "./pack_invariants.ts";
import { chunk, chunks, openTestStore } from "./pack_store.ts";

/** Open rows that are only committed when they are asked for, or by a round that changes more. */
function openRows(commit: () => void) {
  let opened = 0;
  let time = 0;
  const rows = new RowsBehindWriter({ now: () => time, onOpened: () => void opened++ });
  const behind = new RowsBehind(rows.buffer, () => {
    commit();
    rows.tried();
    return true;
  });
  return { rows, behind, opened: () => opened, wait: (ms: number) => void (time += ms) };
}

async function readerOf(dir: string, behind?: RowsBehind): Promise<PackReader> {
  const objects = await openFsStore(`${dir}/objects`);
  return openPackReader({ store: { dir }, objects, counters: new Counters(), behind });
}

Deno.test("packs: rows of many rounds are one commit, and who misses one has it committed", async () => {
  await using dir = await tempDir();
  const { rows, behind, opened } = openRows(() => store.writer.commitRows());
  await using store = await openTestStore(dir.path, { openRows: rows.of("packs") });
  await using blind = await readerOf(dir.path);
  await using reader = await readerOf(dir.path, behind);
  for (let n = 0; n < 5; n++) await store.writer.commitRecords(undefined, [chunk(n)]);
  assert.equal(opened(), 5);
  assert.equal(blind.read("chunk", chunk(0).id), undefined, "nothing is committed yet");
  assert.deepEqual(reader.read("chunk", chunk(3).id), chunk(3).body);
  assert.deepEqual(blind.read("chunk", chunk(4).id), chunk(4).body, "all were committed for it");
  await store.writer.commitRecords(undefined, [chunk(5)]);
  assert.deepEqual(reader.has("chunk", [chunk(5).id, chunk(6).id]), [true, false]);
  await store.writer.commitRecords(undefined, [chunk(6)]);
  assert.equal(reader.totals().records, 7);
  await assertInvariants(store, dir.path);
});

Deno.test("packs: after a look-up that waited, each round is committed for a while", async () => {
  await using dir = await tempDir();
  const { rows, opened, wait } = openRows(() => store.writer.commitRows());
  await using store = await openTestStore(dir.path, { openRows: rows.of("packs") });
  await using blind = await readerOf(dir.path);
  rows.noteAsked();
  await store.writer.commitRecords(undefined, [chunk(0)]);
  assert.equal(opened(), 0);
  assert.deepEqual(blind.has("chunk", [chunk(0).id]), [true]);
  wait(1000);
  await store.writer.commitRecords(undefined, [chunk(1)]);
  assert.equal(opened(), 1);
});

Deno.test("packs: a round that fails takes no row that was acknowledged", async () => {
  await using dir = await tempDir();
  let failing = 0;
  const { rows, behind } = openRows(() => store.writer.commitRows());
  await using store = await openTestStore(dir.path, {
    openRows: rows.of("packs"),
    faults(point) {
      if (point !== "commit.in_tables" || failing-- <= 0) return;
      throw Object.assign(new Error("ENOSPC: injected"), { code: "ENOSPC", syscall: "write" });
    },
  });
  await using reader = await readerOf(dir.path, behind);
  const { writer } = store;
  for (let n = 0; n < 5; n++) await writer.commitRecords(undefined, [chunk(n)]);
  failing = 2;
  for (const n of [5, 6]) {
    await assert.rejects(
      writer.commitRecords(undefined, [chunk(n)]),
      (error) => isKind(error, "quota_exceeded"),
    );
  }
  const ids = chunks(0, 5).map(({ id }) => id);
  assert.deepEqual(reader.has("chunk", ids), [true, true, true, true, true]);
  assert.equal(writer.stats().records, 5);
  await writer.commitRecords(undefined, [chunk(6)]);
  assert.deepEqual(reader.read("chunk", chunk(6).id), chunk(6).body);
  assert.equal(reader.totals().records, 6);
  await assertInvariants(store, dir.path);
});

Deno.test("packs: what may lie in rows that can not be committed is unavailable, never a miss", async () => {
  await using dir = await tempDir();
  let ill = true;
  const { rows, behind } = openRows(() => ill || store.writer.commitRows());
  await using store = await openTestStore(dir.path, { openRows: rows.of("packs") });
  await using reader = await readerOf(dir.path, behind);
  await store.writer.commitRecords(undefined, [chunk(0)]);
  const unavailable = (error: unknown) => isKind(error, "unavailable");
  assert.throws(() => reader.read("chunk", chunk(0).id), unavailable);
  assert.throws(() => reader.has("chunk", [chunk(0).id]), unavailable);
  ill = false;
  assert.deepEqual(reader.read("chunk", chunk(0).id), chunk(0).body);
  assert.equal(reader.read("chunk", chunk(1).id), undefined);
});

Deno.test("packs: segments that end, and a collection, leave nothing open", async () => {
  await using dir = await tempDir();
  const { rows, opened } = openRows(() => store.writer.commitRows());
  await using store = await openTestStore(dir.path, {
    openRows: rows.of("packs"),
    segmentSize: 16 * 1024,
  });
  await using blind = await readerOf(dir.path);
  const { writer } = store;
  for (const record of chunks(0, 40)) await writer.commitRecords(undefined, [record]);
  assert.ok(opened() > 20);
  await writer.seal();
  assert.ok(blind.has("chunk", chunks(0, 40).map(({ id }) => id)).every((here) => here));
  await writer.commitRecords(undefined, [chunk(40)]);
  async function* roots() {
    yield { kind: "chunk", id: chunk(1).id } as const;
    // What comes while marks are made must not undo them when it fails.
    await writer.commitRecords(undefined, [chunk(41)]);
    assert.deepEqual(blind.has("chunk", [chunk(41).id]), [true]);
    yield { kind: "chunk", id: chunk(40).id } as const;
  }
  store.clock.advance(3_600_000);
  await writer.gc({ roots: roots(), grace: 0 });
  assert.deepEqual(blind.has("chunk", [chunk(1).id, chunk(2).id, chunk(40).id]), [
    true,
    false,
    true,
  ]);
  await assertInvariants(store, dir.path);
});

Deno.test("index: rows of new entries are one commit, and who misses one has it committed", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const path = dir.join("index.sqlite");
  const { rows, behind, opened } = openRows(() => index.commitRows());
  await using index = await openWriter(world, {
    path,
    log: new MemoryLog(),
    openRows: rows.of("index"),
  });
  await index.learn();
  await using blind = openReader(world, path);
  await using reader = openReader(world, path, index.filter, behind);
  for (let n = 0; n < 5; n++) await putWhole(index, draft(`k${n}`, { blobs: [blob(`${n}`)] }));
  assert.equal(opened(), 5);
  assert.equal(await blind.get(keyed("k0")), undefined, "nothing is committed yet");
  assert.equal((await reader.get(keyed("k3")))?.sequence, 4);
  assert.equal((await blind.get(keyed("k4")))?.sequence, 5, "all were committed for it");
  await putWhole(index, draft("k5", { blobs: [blob("5")] }));
  assert.equal(reader.totals().entries, 6);
  await putWhole(index, draft("k6", { blobs: [blob("6")] }));
  assert.deepEqual(reader.visibility.find("default", [blob("6").digest]), [1]);
  await putWhole(index, draft("k7", { blobs: [blob("7")] }));
  const keys = [];
  for await (const item of reader.scan()) if (item.type === "entry") keys.push(item.entry.key);
  assert.equal(keys.length, 8);
});

Deno.test("index: what changes or removes an entry is never left open", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const path = dir.join("index.sqlite");
  const { rows } = openRows(() => index.commitRows());
  await using index = await openWriter(world, {
    path,
    log: new MemoryLog(),
    openRows: rows.of("index"),
  });
  await using blind = openReader(world, path);
  await putWhole(index, draft("k", { blobs: [blob("1")] }));
  await putWhole(index, draft("k", { blobs: [blob("2")] }));
  assert.equal((await blind.get(keyed("k")))?.blobs[0]?.digest, blob("2").digest);
  await putWhole(index, draft("other", { blobs: [blob("3")] }));
  await index.delete([keyed("k")]);
  assert.equal(await blind.get(keyed("k")), undefined);
  assert.equal((await blind.get(keyed("other")))?.sequence, 3);
});

Deno.test("index: a transaction that fails takes rows with it, and the log brings them back", async () => {
  await using dir = await tempDir();
  const world = indexWorld();
  const path = dir.join("index.sqlite");
  const { rows } = openRows(() => {});
  const open = rows.of("index");
  let failing = 0;
  await using index = await openWriter(world, {
    path,
    log: new MemoryLog(),
    openRows: {
      ...open,
      opened() {
        if (failing-- > 0) throw new Error("database or disk is full");
        open.opened();
      },
    },
  });
  await using blind = openReader(world, path);
  for (let n = 0; n < 4; n++) await index.put(draft(`k${n}`));
  failing = 1;
  await assert.rejects(index.put(draft("fails")));
  // Without another write: the next attempt to commit reads them from the log.
  assert.throws(() => index.commitRows(), (error) => isKind(error, "unavailable"));
  for (let turn = 0; turn < 50 && !await blind.get(keyed("k3")); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let n = 0; n < 4; n++) assert.ok(await blind.get(keyed(`k${n}`)), `k${n} is back`);
  index.commitRows();
  await index.put(draft("next"));
  index.commitRows();
  assert.ok(await blind.get(keyed("next")));
});

Deno.test("a look-up on another thread waits for the commit of the writer's", async () => {
  const rows = new RowsBehindWriter({ now: () => 0, onOpened() {} });
  const packs = rows.of("packs");
  packs.opened();
  const source = `
    import { RowsBehind } from ${JSON.stringify(import.meta.resolve("../../core/rows_behind.ts"))};
    self.onmessage = ({ data }) => {
      const behind = new RowsBehind(data, () => (self.postMessage("ask"), true));
      const stored = new Int32Array(data);
      self.postMessage({ found: behind.look("packs", () => stored[7], (answer) => answer === 0) });
    };`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const heard: unknown[] = [];
  const done = Promise.withResolvers<void>();
  worker.onmessage = ({ data }) => {
    heard.push(data);
    if (data !== "ask") return done.resolve();
    new Int32Array(rows.buffer)[7] = 42;
    packs.committed();
    rows.tried();
  };
  worker.postMessage(rows.buffer);
  await done.promise;
  worker.terminate();
  URL.revokeObjectURL(url);
  assert.deepEqual(heard, ["ask", { found: 42 }]);
});
