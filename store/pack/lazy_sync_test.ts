import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { RELAXED_SYNC_MS } from "../../core/limits.ts";
import type { LogRecord } from "../../core/record.ts";
import { chunk, chunks, openTestStore } from "../../test/fault/pack_store.ts";
import { assertNoLeaks } from "../../test/helpers/leaks.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import type { FaultPoint } from "./faults.ts";

const note: LogRecord = { kind: "pin", id: new Uint8Array(32), body: new Uint8Array(10) };

/** Notes the steps that make something durable. */
function watchSyncs(fails = false) {
  const seen: string[] = [];
  const faults = (point: FaultPoint) => {
    if (point !== "commit.before_sync" && point !== "log.before_sync") return;
    seen.push(point);
    if (fails) throw Object.assign(new Error("EIO"), { code: "EIO" });
  };
  return { seen, faults };
}

/** Lets everything run that waits for nothing else. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("strict durability: data and log are synced before they are acknowledged", async () => {
  const { seen, faults } = watchSyncs();
  await using store = await openTestStore(undefined, { faults });
  await store.writer.commitRecords(undefined, [chunk(1)]);
  assert.deepEqual(seen, ["commit.before_sync"]);
  await store.writer.log.append([note]);
  assert.deepEqual(seen, ["commit.before_sync", "log.before_sync"]);
});

Deno.test("relaxed durability: many writes are acknowledged first, then one sync each", () =>
  assertNoLeaks(async () => {
    const { seen, faults } = watchSyncs();
    await using store = await openTestStore(undefined, { faults, durability: "relaxed" });
    const before = store.clock.sleeping;
    for (const record of chunks(0, 5)) {
      await store.writer.commitRecords(undefined, [record]);
      assert.deepEqual(store.reader.read("chunk", record.id), record.body);
    }
    const position = await store.writer.log.append([note, note]);
    assert.deepEqual(store.writer.log.end(), position, "the log goes on to what counts");
    assert.equal((await Array.fromAsync(store.writer.log.scan())).length, 2);
    assert.deepEqual(seen, []);
    assert.equal(store.clock.sleeping, before + 1, "one wait for all of them");
    store.clock.advance(RELAXED_SYNC_MS);
    await settled();
    assert.deepEqual(seen, ["commit.before_sync", "log.before_sync"]);
    store.clock.advance(RELAXED_SYNC_MS);
    await settled();
    assert.equal(seen.length, 2, "nothing new, nothing to do");
  }));

Deno.test("relaxed durability: after a sync that failed the next start looks at what is there", async () => {
  await using dir = await tempDir();
  {
    const { faults } = watchSyncs(true);
    await using store = await openTestStore(dir.path, { faults, durability: "relaxed" });
    await store.writer.commitRecords(undefined, chunks(0, 3));
    store.clock.advance(RELAXED_SYNC_MS);
    await settled();
  }
  await using store = await openTestStore(dir.path);
  assert.deepEqual(store.events.map(({ type }) => type), ["recovered"]);
  for (const { id, body } of chunks(0, 3)) {
    assert.deepEqual(await store.reader.read("chunk", id), body);
  }
});

Deno.test("relaxed durability: a sync that fails is told, and writes go on elsewhere", async () => {
  const { seen, faults } = watchSyncs(true);
  await using store = await openTestStore(undefined, { faults, durability: "relaxed" });
  await store.writer.commitRecords(undefined, [chunk(1)]);
  store.clock.advance(RELAXED_SYNC_MS);
  await settled();
  assert.deepEqual(seen, ["commit.before_sync"]);
  assert.ok(store.events.some((event) => event.type === "failed" && event.what === "sync"));
  await store.writer.commitRecords(undefined, [chunk(2)]);
  for (const { id, body } of [chunk(1), chunk(2)]) {
    assert.deepEqual(await store.reader.read("chunk", id), body);
  }
});

Deno.test("relaxed durability: a power cut loses the newest writes and serves no wrong bytes", async () => {
  await using dir = await tempDir();
  await using after = await tempDir();
  const path = `${after.path}/store`;
  const [old, lost, next] = [chunks(0, 10), chunks(10, 20), chunks(20, 30)];
  {
    await using store = await openTestStore(dir.path, { durability: "relaxed" });
    await store.writer.commitRecords(undefined, old);
    store.clock.advance(RELAXED_SYNC_MS);
    await settled();
    const durable = store.writer.stats().stored_bytes;
    await store.writer.commitRecords(undefined, lost);
    // The tables reached the disk and the segment did not: the worse of the two.
    await cp(dir.path, path, { recursive: true });
    for await (const { name } of Deno.readDir(`${path}/active`)) {
      const file = `${path}/active/${name}`;
      if ((await Deno.stat(file)).size > durable) await Deno.truncate(file, 56 + durable);
    }
  }
  await using store = await openTestStore(path);
  for (const { id, body } of old) assert.deepEqual(await store.reader.read("chunk", id), body);
  // They stand where the lost ones were.
  await store.writer.commitRecords(undefined, next);
  for (const { id } of lost) assert.equal(await store.reader.read("chunk", id), undefined);
  assert.deepEqual([store.damage, store.writer.stats().chunks], [[], 20], "a miss, no damage");
  await store.writer.commitRecords(undefined, lost);
  for (const { id, body } of [...old, ...lost, ...next]) {
    assert.deepEqual(await store.reader.read("chunk", id), body);
  }
});

Deno.test("a round asks for the room on the disk once, however many wait in it", async () => {
  let asked = 0;
  const room = { free: 2 ** 40, total: 2 ** 40 };
  const reserve = () => (asked++, room);
  await using store = await openTestStore(undefined, { maxSize: 2 ** 30, reserve });
  asked = 0;
  await Promise.all(chunks(0, 64).map((record) => store.writer.commitRecords(undefined, [record])));
  await store.writer.log.append([note]);
  assert.equal(asked, 1, "and the log's part of it uses the same answer");
});
