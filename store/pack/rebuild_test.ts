import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Bytes } from "../../core/digest.ts";
import type { DataRecord } from "../../core/record.ts";
import { assertInvariants } from "../../test/fault/pack_invariants.ts";
import { chunk, chunks, openTestStore } from "../../test/fault/pack_store.ts";
import { longOr } from "../../test/helpers/long.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { MemoryObjectStore } from "../memory.ts";

/** Records whose ids are no hashes: fast to make. */
function small(count: number): DataRecord[] {
  const all = new Uint8Array(randomBytes(count * 32));
  return Array.from({ length: count }, (_, i) => {
    const id: Bytes = all.slice(i * 32, i * 32 + 32);
    return { kind: "chunk", id, body: id };
  });
}

const MANY = longOr(100_000, 20_000);

Deno.test(`openPackWriter: ${MANY} records are found again from footers in a few seconds`, async () => {
  await using dir = await tempDir();
  const records = small(MANY);
  {
    await using store = await openTestStore(dir.path);
    await store.writer.commitRecords(undefined, records);
    await store.writer.seal();
  }
  await Deno.remove(dir.join("packs.sqlite"));
  const start = performance.now();
  await using store = await openTestStore(dir.path);
  const ms = performance.now() - start;
  assert.equal(store.writer.stats().chunks, MANY);
  const here = store.reader.has("chunk", records.map(({ id }) => id));
  assert.ok(here.every(Boolean));
  // Generous: what is guarded against is reading every record, or a transaction for each.
  assert.ok(ms < 15_000, `${Math.round(ms)} ms`);
  console.info(`${MANY} records found again in ${Math.round(ms)} ms`);
});

Deno.test("openPackWriter: a far medium is taken in by its footers, or by reading packs without", async () => {
  await using dir = await tempDir();
  const objects = new MemoryObjectStore();
  const records = chunks(0, 60, 5000);
  {
    await using store = await openTestStore(dir.path, { objects, segmentSize: 100_000 });
    await store.writer.commitRecords(undefined, records);
    await store.writer.seal();
  }
  await using other = await tempDir();
  {
    await using store = await openTestStore(other.path, { objects });
    for (const { id, body } of records) {
      assert.deepEqual(await store.reader.read("chunk", id), body);
    }
    await assertInvariants(store);
  }
  for await (const { key } of objects.list({ prefix: "data/" })) {
    const body = await objects.get(key);
    const parts: Bytes[] = [];
    for await (const part of body!.stream()) parts.push(part);
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    const cut = bytes.slice(0, bytes.length - 40);
    await objects.put(key, {
      size: cut.length,
      replayable: true,
      open: () => new Blob([cut]).stream(),
    });
  }
  await using third = await tempDir();
  await using store = await openTestStore(third.path, { objects });
  for (const { id, body } of records) assert.deepEqual(await store.reader.read("chunk", id), body);
});

Deno.test("openPackWriter: a pack that is gone is forgotten and counted after an unclean stop", async () => {
  await using dir = await tempDir();
  const old = chunks(0, 20);
  {
    await using store = await openTestStore(dir.path);
    await store.writer.commitRecords(undefined, old);
    await store.writer.seal();
    store.writer.shared.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    await Deno.copyFile(dir.join("packs.sqlite"), dir.join("copy"));
  }
  await Deno.rename(dir.join("copy"), dir.join("packs.sqlite"));
  await Deno.remove(dir.join("objects", "data"), { recursive: true });
  await using store = await openTestStore(dir.path);
  assert.equal(store.counters.get("losses"), 20);
  assert.equal(store.events.find(({ type }) => type === "pack_lost")?.type, "pack_lost");
  assert.equal(store.writer.stats().chunks, 0);
  await store.writer.commitRecords(undefined, [chunk(1)]);
  await assertInvariants(store, dir.path);
});

Deno.test("openPackWriter: touches and totals outlive a reopen", async () => {
  await using dir = await tempDir();
  const records = chunks(0, 10);
  {
    await using store = await openTestStore(dir.path);
    await store.writer.commitRecords(undefined, records);
    store.clock.advance(500_000);
    store.writer.touch("chunk", [records[3]!.id], store.clock.now());
    // Written by itself within a second, without anybody waiting for it.
    store.clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 0));
    const used = store.writer.shared.db.prepare("SELECT used FROM location WHERE id = ?");
    assert.equal(used.get(records[3]!.id)!["used"], 1_700_000_500);
    store.writer.touch("chunk", [records[4]!.id], store.clock.now());
  }
  await using store = await openTestStore(dir.path);
  const used = store.writer.shared.db.prepare("SELECT used FROM location WHERE id = ?");
  assert.equal(used.get(records[4]!.id)!["used"], 1_700_000_501);
  assert.equal(store.writer.stats().chunks, 10);
  assert.deepEqual(store.reader.totals().chunks, 10);
  await assertInvariants(store, dir.path);
});

Deno.test("openPackWriter: what an upload had in a pack before its commit is found again", async () => {
  await using dir = await tempDir();
  const records = chunks(0, 20);
  {
    await using store = await openTestStore(dir.path);
    await store.writer.append("up", records);
    await store.writer.seal();
    await store.writer.commitRecords("up", []);
  }
  await Deno.remove(dir.join("packs.sqlite"));
  await using store = await openTestStore(dir.path);
  for (const { id, body } of records) assert.deepEqual(store.reader.read("chunk", id), body);
});
