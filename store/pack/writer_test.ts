import assert from "node:assert/strict";
import { concat, equalBytes } from "../../core/bytes.ts";
import { assertNoLeaks } from "../../test/helpers/leaks.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { chunk, chunks, openTestStore } from "../../test/fault/pack_store.ts";

Deno.test("commitRecords: what it resolved is read back after a reopen", () =>
  assertNoLeaks(async () => {
    await using dir = await tempDir();
    const records = chunks(0, 50);
    {
      await using store = await openTestStore(dir.path);
      await store.writer.commitRecords(undefined, records);
      for (const { kind, id, body } of records) {
        assert.deepEqual(store.reader.read(kind, id), body);
      }
    }
    await using store = await openTestStore(dir.path);
    assert.deepEqual(store.reader.has("chunk", records.map(({ id }) => id)), Array(50).fill(true));
    for (const { kind, id, body } of records) assert.deepEqual(store.reader.read(kind, id), body);
    assert.deepEqual(store.events, []);
    assert.equal(store.writer.stats().chunks, 50);
  }));

Deno.test("append: records of an upload are seen after its commit and not before", async () => {
  await using store = await openTestStore(undefined);
  const [a, b] = chunks(0, 2) as [ReturnType<typeof chunk>, ReturnType<typeof chunk>];
  await store.writer.append("up", [a]);
  assert.deepEqual(store.reader.has("chunk", [a.id]), [false]);
  await store.writer.commitRecords("up", [b]);
  assert.deepEqual(store.reader.has("chunk", [a.id, b.id]), [true, true]);
});

Deno.test("abort: a pending record that another upload relies on stays with that one", async () => {
  await using store = await openTestStore(undefined);
  const shared = chunk(1);
  const own = chunk(2);
  await store.writer.append("first", [shared, own]);
  const written = store.writer.stats().disk_bytes;
  await store.writer.append("second", [shared]);
  assert.equal(store.writer.stats().disk_bytes, written, "not stored again");
  await store.writer.abort("first");
  await store.writer.commitRecords("second", []);
  assert.deepEqual(store.reader.read("chunk", shared.id), shared.body);
  assert.equal(store.reader.read("chunk", own.id), undefined);
});

Deno.test("seal: packs are read from the object store, before and after a reopen", () =>
  assertNoLeaks(async () => {
    await using dir = await tempDir();
    const records = chunks(0, 100, 20_000);
    for (const path of [dir.path, undefined]) {
      await using store = await openTestStore(path, { segmentSize: 1024 * 1024 });
      await store.writer.commitRecords(undefined, records);
      await store.writer.seal();
      assert.equal(store.events.filter(({ type }) => type === "sealed").length, 2);
      for (const { kind, id, body } of records) {
        assert.deepEqual(await store.reader.read(kind, id), body);
      }
      using held = store.reader.hold(
        "chunk",
        records.map(({ id, body }) => ({ id, length: body.length })),
      );
      assert.ok(equalBytes(await held.join(0, 100), concat(records.map(({ body }) => body))));
    }
    await using store = await openTestStore(dir.path);
    for (const { kind, id, body } of records) assert.deepEqual(store.reader.read(kind, id), body);
  }));
