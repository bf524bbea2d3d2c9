import assert from "node:assert/strict";
import { toHex } from "../../core/digest.ts";
import type { LogPosition, LogRecord } from "../../core/record.ts";
import { assertInvariants } from "../../test/fault/pack_invariants.ts";
import { chunk, chunks, openTestStore } from "../../test/fault/pack_store.ts";
import type { TestStore } from "../../test/fault/pack_store.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { MemoryObjectStore } from "../memory.ts";

function entry(number: number, kind: LogRecord["kind"] = "entry"): LogRecord {
  const { id, body } = chunk(number, 200);
  return { kind, id, body };
}

async function scan(store: TestStore, after?: LogPosition) {
  const found: { record: LogRecord; position: LogPosition }[] = [];
  for await (const item of store.writer.log.scan(after)) found.push(item);
  return found;
}

Deno.test("LogPort.scan: gives all records in order, across segments, from any position", async () => {
  await using dir = await tempDir();
  for (const objects of [undefined, new MemoryObjectStore()]) {
    const folder = objects ? undefined : dir.path;
    await using store = await openTestStore(folder, {
      segmentSize: 3000,
      ...(objects ? { objects } : {}),
    });
    const { log } = store.writer;
    const kinds = ["entry", "tombstone", "pin", "visibility"] as const;
    const records = Array.from({ length: 60 }, (_, i) => entry(i, kinds[i % 4]));
    const ends: LogPosition[] = [];
    for (let i = 0; i < 60; i += 3) ends.push(await log.append(records.slice(i, i + 3)));
    const found = await scan(store);
    assert.deepEqual(found.map(({ record }) => record), records);
    assert.ok(new Set(found.map(({ position }) => position.segment)).size > 3);
    for (const [i, end] of ends.entries()) {
      assert.deepEqual(found[i * 3 + 2]!.position, end);
      const rest = await scan(store, end);
      assert.deepEqual(rest.map(({ record }) => record), records.slice(i * 3 + 3));
    }
    assert.deepEqual(log.end(), ends.at(-1));
    // The records of one call stand in one segment.
    for (let i = 0; i < 60; i += 3) {
      assert.equal(found[i]!.position.segment, found[i + 2]!.position.segment);
    }
  }
  await using again = await openTestStore(dir.path, { segmentSize: 3000 });
  assert.equal((await scan(again)).length, 60);
});

Deno.test("LogPort.scan: positions stay true when the tables are lost", async () => {
  await using dir = await tempDir();
  let positions: LogPosition[];
  {
    await using store = await openTestStore(dir.path, { segmentSize: 3000 });
    for (let i = 0; i < 40; i++) {
      await store.writer.commitRecords(undefined, [chunk(i)]);
      await store.writer.log.append([entry(i)]);
    }
    positions = (await scan(store)).map(({ position }) => position);
  }
  await Deno.remove(dir.join("packs.sqlite"));
  await using store = await openTestStore(dir.path, { segmentSize: 3000 });
  assert.deepEqual((await scan(store)).map(({ position }) => position), positions);
  assert.deepEqual(store.writer.log.end(), positions.at(-1));
});

Deno.test("LogPort.compact: replaces the log, keeps what comes meanwhile behind it", async () => {
  await using dir = await tempDir();
  {
    await using store = await openTestStore(dir.path, { segmentSize: 3000 });
    const { log } = store.writer;
    for (let i = 0; i < 40; i++) await log.append([entry(i)]);
    const before = log.end();
    const kept = [entry(5), entry(7, "visibility")];
    const compacting = log.compact(kept);
    const later = log.append([entry(100)]);
    const end = await compacting;
    assert.ok(end.segment > before.segment);
    const behind = await later;
    assert.ok(behind.segment > end.segment || behind.offset > end.offset);
    const found = (await scan(store)).map(({ record }) => record);
    assert.deepEqual(found, [...kept, entry(100)]);
    assert.deepEqual((await scan(store, before)).map(({ record }) => record), found);
    assert.deepEqual((await scan(store, end)).map(({ record }) => record), [entry(100)]);
    await store.writer.seal();
    await assertInvariants(store, dir.path);
  }
  await using store = await openTestStore(dir.path, { segmentSize: 3000 });
  assert.equal((await scan(store)).length, 3);
});

Deno.test("LogPort.compact: a failure leaves the log as it was", async () => {
  await using dir = await tempDir();
  const points = [
    "log_compact.before_write",
    "log_compact.before_sync",
    "log_compact.before_rename",
    "log_compact.before_tables",
  ] as const;
  for (const point of points) {
    await using store = await openTestStore(dir.path, {
      faults(at) {
        if (at === point) throw Object.assign(new Error("no"), { code: "ENOSPC" });
      },
    });
    const { log } = store.writer;
    await log.append([entry(1), entry(2)]);
    const before = await scan(store);
    await assert.rejects(log.compact([entry(3)]), { kind: "quota_exceeded" });
    assert.deepEqual(await scan(store), before);
    await log.append([entry(4)]);
    assert.equal((await scan(store)).length, before.length + 1);
    await assertInvariants(store, dir.path);
  }
});

Deno.test("LogPort: a full store still takes what little its log needs to delete", async () => {
  await using dir = await tempDir();
  const maxSize = 4 * 1024 * 1024;
  await using store = await openTestStore(dir.path, { maxSize, segmentSize: 256 * 1024 });
  // An open upload holds everything: nothing can be evicted.
  const fill = async () => {
    for (let i = 0; i < 100; i++) {
      await store.writer.append("all", chunks(i * 10, i * 10 + 10, 10_000));
    }
  };
  await assert.rejects(fill(), { kind: "quota_exceeded" });
  await store.writer.log.append([entry(1, "tombstone")]);
  assert.equal((await scan(store)).length, 1);
});

Deno.test("LogPort.compact: comes to its end although data never stops coming, also into a full store", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, {
    maxSize: 8 * 1024 * 1024,
    segmentSize: 256 * 1024,
  });
  const { writer, clock } = store;
  let next = 0;
  let stop = false;
  const pour = async () => {
    while (!stop) {
      clock.advance(1000);
      await writer.commitRecords(undefined, chunks(next, next += 20, 10_000));
    }
  };
  const acknowledged: number[] = [];
  const logs = async () => {
    for (let i = 0; !stop; i++) {
      await writer.log.append([entry(i)]);
      acknowledged.push(i);
    }
  };
  // Read when the compaction writes it: all that was acknowledged by then.
  const all = {
    *[Symbol.iterator]() {
      for (const i of acknowledged) yield entry(i);
    },
  };
  const work = [pour(), pour(), logs()];
  for (let i = 0; i < 12; i++) {
    while (store.counters.get("evicted_segments") < i) await new Promise((r) => setTimeout(r, 1));
    await Promise.all([writer.log.compact(all), writer.log.compact(all)]);
  }
  stop = true;
  await Promise.all(work);
  const ids = new Set((await scan(store)).map(({ record }) => toHex(record.id)));
  for (const i of acknowledged) {
    assert.ok(ids.has(toHex(entry(i).id)), `entry ${i} was acknowledged`);
  }
  await writer.seal();
  await assertInvariants(store, dir.path);
});
