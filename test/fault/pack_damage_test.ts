/** Torn and flipped bytes: nothing wrong is ever handed out, what is good survives. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import type { DataRecord } from "../../core/record.ts";
import { everyNth } from "../helpers/long.ts";
import { tempDir } from "../helpers/temp.ts";
import { chunk, chunks, openTestStore } from "./pack_store.ts";

const TABLES = ["packs.sqlite", "packs.sqlite-wal", "packs.sqlite-shm"];

/** The only segment of a store that holds data. */
async function dataSegment(dir: string, records: readonly DataRecord[]): Promise<string> {
  await using store = await openTestStore(dir);
  await store.writer.commitRecords(undefined, records);
  const row = store.writer.shared.db.prepare("SELECT name FROM segments WHERE area = 'data'").get();
  return `${dir}/active/${row!["name"]}.seg`;
}

/** Places to damage; the records of 96 bytes each are hit everywhere, if not each of them. */
function placesFrom(begin: number, end: number): number[] {
  return everyNth(Array.from({ length: end - begin }, (_, at) => begin + at), 7);
}

async function removeTables(dir: string): Promise<void> {
  for (const name of TABLES) {
    await Deno.remove(`${dir}/${name}`).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

Deno.test("openPackWriter: a tail torn at every byte of the last record is cut, the rest is there", async () => {
  await using dir = await tempDir();
  const kept = chunks(0, 3, 100);
  const last = chunk(3, 60);
  const file = await dataSegment(dir.path, [...kept, last]);
  const whole = await Deno.readFile(file);
  const lastBytes = 56 + 60;
  for (const cut of everyNth(Array.from({ length: lastBytes + 1 }, (_, at) => at), 7)) {
    await Deno.writeFile(file, whole.slice(0, whole.length - cut));
    await removeTables(dir.path);
    await using store = await openTestStore(dir.path);
    for (const { id, body } of kept) assert.deepEqual(store.reader.read("chunk", id), body);
    const read = store.reader.read("chunk", last.id);
    assert.deepEqual(read, cut === 0 ? last.body : undefined, `cut ${cut}`);
    const { size } = await Deno.stat(file);
    assert.equal(size, cut === 0 ? whole.length : whole.length - lastBytes);
    // The store goes on behind what was cut.
    await store.writer.commitRecords(undefined, [last]);
    assert.deepEqual(store.reader.read("chunk", last.id), last.body);
  }
});

Deno.test("openPackWriter: garbage behind the last commit is cut after an unclean stop", async () => {
  await using dir = await tempDir();
  const records = chunks(0, 3, 100);
  const file = await dataSegment(dir.path, records);
  const good = (await Deno.stat(file)).size;
  await Deno.writeFile(file, new Uint8Array(5000).fill(0x89), { append: true });
  await removeTables(dir.path);
  await using store = await openTestStore(dir.path);
  assert.equal((await Deno.stat(file)).size, good);
  assert.equal(store.writer.stats().quarantined, 0);
});

Deno.test("PackReader: a flip of any byte is a miss of one record at most, never wrong bytes", async () => {
  await using dir = await tempDir();
  const records = chunks(0, 3, 40);
  const file = await dataSegment(dir.path, records);
  const whole = await Deno.readFile(file);
  for (const at of placesFrom(SEGMENT_HEADER_BYTES, whole.length)) {
    const flipped = whole.slice();
    flipped[at]! ^= 0x41;
    await Deno.writeFile(file, flipped);
    await using store = await openTestStore(dir.path);
    const hit = Math.floor((at - SEGMENT_HEADER_BYTES) / 96);
    for (const [i, { id, body }] of records.entries()) {
      const read = store.reader.read("chunk", id);
      if (i === hit) assert.equal(read, undefined, `byte ${at} of record ${i}`);
      else assert.deepEqual(read, body);
    }
    // The writer looks for itself, in a task of its own.
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal(store.writer.stats().quarantined, 1);
    assert.equal(store.counters.get("losses"), 1);
    const [row] = store.writer.damaged();
    assert.deepEqual([row!.kind, row!.id], ["chunk", records[hit]!.id]);
    assert.deepEqual(store.reader.has("chunk", [records[hit]!.id]), [false]);
    // It can be stored again, which heals it.
    await store.writer.commitRecords(undefined, [records[hit]!]);
    assert.equal(store.writer.stats().quarantined, 0);
    assert.deepEqual(store.reader.read("chunk", records[hit]!.id), records[hit]!.body);
    await store[Symbol.asyncDispose]();
    await removeTables(dir.path);
    await Deno.writeFile(file, whole);
    await (await openTestStore(dir.path))[Symbol.asyncDispose]();
  }
});

Deno.test("openPackWriter: a rebuild over a flip of any byte keeps all other records", async () => {
  await using dir = await tempDir();
  const records = chunks(0, 3, 40);
  const file = await dataSegment(dir.path, records);
  const whole = await Deno.readFile(file);
  for (const at of placesFrom(0, whole.length)) {
    const flipped = whole.slice();
    flipped[at]! ^= 0x41;
    await Deno.writeFile(file, flipped);
    await removeTables(dir.path);
    // A version other than ours is refused, whatever made it one; its CRC is checked first.
    await using store = await openTestStore(dir.path);
    const hit = Math.floor((at - SEGMENT_HEADER_BYTES) / 96);
    for (const [i, { id, body }] of records.entries()) {
      const read = store.reader.read("chunk", id);
      assert.deepEqual(read, i === hit ? undefined : body, `byte ${at}, record ${i}`);
    }
    const middle = hit === 0 || hit === 1;
    assert.equal(store.writer.stats().quarantined, middle ? 1 : 0, `byte ${at}`);
    assert.equal(store.counters.get("quarantined"), middle ? 1 : 0);
  }
});

Deno.test("verify: tells what is damaged, and with repair makes it a miss", async () => {
  await using dir = await tempDir();
  const records = chunks(0, 30, 500);
  const file = await dataSegment(dir.path, records);
  const bytes = await Deno.readFile(file);
  bytes[SEGMENT_HEADER_BYTES + 556 * 7 + 300]! ^= 1;
  await Deno.writeFile(file, bytes);
  await using store = await openTestStore(dir.path);
  const told = await store.writer.verify();
  assert.deepEqual([told.records, told.damaged, told.quarantined], [30, 1, 0]);
  assert.deepEqual(store.reader.has("chunk", [records[7]!.id]), [true]);
  const repaired = await store.writer.verify({ repair: true });
  assert.deepEqual([repaired.damaged, repaired.quarantined], [1, 1]);
  assert.deepEqual(store.reader.has("chunk", [records[7]!.id]), [false]);
  assert.equal((await store.writer.verify()).damaged, 0);
});

Deno.test("openPackWriter: a segment of a newer format is an error that says so", async () => {
  await using dir = await tempDir();
  const file = await dataSegment(dir.path, chunks(0, 1));
  const bytes = await Deno.readFile(file);
  bytes[8] = 9;
  new DataView(bytes.buffer).setUint32(52, crc32(bytes.subarray(0, 52)), true);
  await Deno.writeFile(file, bytes);
  await removeTables(dir.path);
  await assert.rejects(openTestStore(dir.path), {
    kind: "unsupported",
    message: "Cannot read the segment: it has format 9, want 1",
  });
  assert.deepEqual(await Deno.readFile(file), bytes, "left as it was");
});

Deno.test("openPackWriter: tables that are no tables are set aside and made again", async () => {
  await using dir = await tempDir();
  const records = chunks(0, 20);
  await dataSegment(dir.path, records);
  await Deno.writeFile(`${dir.path}/packs.sqlite`, new Uint8Array(9000).fill(7));
  await using store = await openTestStore(dir.path);
  for (const { id, body } of records) assert.deepEqual(store.reader.read("chunk", id), body);
  assert.equal(store.events.find(({ type }) => type === "rebuilt")?.type, "rebuilt");
  assert.equal((await Deno.stat(`${dir.path}/packs.sqlite.damaged`)).size, 9000);
});

Deno.test("openPackWriter: packs are found again by their footers, or without them", async () => {
  await using dir = await tempDir();
  const records = chunks(0, 60, 5000);
  const dead = chunk(1000);
  {
    await using store = await openTestStore(dir.path);
    await store.writer.append("gone", [dead]);
    await store.writer.commitRecords(undefined, records);
    await store.writer.abort("gone");
    await store.writer.seal();
  }
  for (const damage of ["none", "footer", "trailer", "header"]) {
    await removeTables(dir.path);
    const [folder] = [...Deno.readDirSync(`${dir.path}/objects/data`)];
    const [name] = [...Deno.readDirSync(`${dir.path}/objects/data/${folder!.name}`)];
    const path = `${dir.path}/objects/data/${folder!.name}/${name!.name}`;
    const good = await Deno.readFile(path);
    const bytes = good.slice();
    if (damage === "footer") bytes[bytes.length - 200]! ^= 1;
    if (damage === "trailer") bytes[bytes.length - 30]! ^= 1;
    if (damage === "header") bytes[20]! ^= 1;
    await Deno.writeFile(path, bytes);
    await using store = await openTestStore(dir.path);
    for (const { id, body } of records) assert.deepEqual(store.reader.read("chunk", id), body);
    assert.equal(store.writer.stats().quarantined, 0, damage);
    await Deno.writeFile(path, good);
  }
});

Deno.test("openPackWriter: a bit that rots in the state of a segment hides no pack", async () => {
  await using dir = await tempDir();
  {
    await using store = await openTestStore(dir.path);
    await store.writer.commitRecords(undefined, [chunk(1)]);
    await store.writer.seal();
  }
  const db = new DatabaseSync(dir.join("packs.sqlite"));
  db.exec("UPDATE segments SET state = 'sgaled' WHERE state = 'sealed'");
  db.close();
  await using store = await openTestStore(dir.path);
  assert.deepEqual(store.reader.read("chunk", chunk(1).id), chunk(1).body);
  assert.ok(store.events.some((event) => event.type === "rebuilt" && event.damaged), "told");
});
