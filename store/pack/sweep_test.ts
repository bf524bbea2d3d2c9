import assert from "node:assert/strict";
import { encodePart, encodeRecipe } from "../../codec/recipe.ts";
import { digestFromBytes, sha256 } from "../../core/digest.ts";
import type { DataRecord } from "../../core/record.ts";
import { assertInvariants } from "../../test/fault/pack_invariants.ts";
import { chunk, chunks, openTestStore } from "../../test/fault/pack_store.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";

const GRACE = 60_000;

/** Bytes of all segments and packs in a folder, without the tables. */
async function segmentBytes(dir: string): Promise<number> {
  let bytes = 0;
  for (const file of await listFiles(dir)) {
    if (/^(active|objects)\//.test(file)) bytes += (await Deno.stat(`${dir}/${file}`)).size;
  }
  return bytes;
}

/** A recipe over chunks; with `level` 2 there is a part between them. */
function recipe(parts: readonly DataRecord[], level: 1 | 2): DataRecord[] {
  const entries = parts.map(({ id, body }) => ({ id, length: body.length }));
  const size = entries.reduce((sum, { length }) => sum + length, 0);
  const digest = sha256(new TextEncoder().encode(`${level} ${size} ${parts.length}`));
  const root = { level, chunker: undefined, size, digest: digestFromBytes(digest) };
  if (level === 1) {
    return [{ kind: "recipe", id: digest, body: encodeRecipe({ ...root, entries }) }];
  }
  const part = encodePart(entries);
  const id = sha256(part);
  return [
    {
      kind: "recipe",
      id: digest,
      body: encodeRecipe({ ...root, entries: [{ id, length: size }] }),
    },
    { kind: "recipe", id, body: part },
  ];
}

Deno.test("gc: keeps what roots reach through recipes and parts, removes the rest", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path);
  const { writer, reader, clock, counters } = store;
  const [a, b, alone, dead] = [chunks(0, 5), chunks(10, 15), chunks(20, 21), chunks(30, 60)];
  const one = recipe(a, 1);
  const two = recipe(b, 2);
  await writer.commitRecords(undefined, [...a, ...b, ...alone, ...dead, ...one, ...two]);
  const roots = [one[0]!, two[0]!, alone[0]!].map(({ kind, id }) => ({ kind, id }));
  const early = await writer.gc({ roots, grace: GRACE });
  assert.equal(early.removed, 0, "all of it is younger than the grace");
  clock.advance(GRACE + 2000);
  const young = chunk(100);
  await writer.commitRecords(undefined, [young]);
  await writer.append("open", [dead[0]!]);
  const collected = await writer.gc({ roots, grace: GRACE });
  assert.equal(collected.removed, 29);
  assert.equal(collected.broken, 0);
  const kept = [...a, ...b, ...alone, ...one, ...two, young, dead[0]!];
  for (const { kind, id, body } of kept) assert.deepEqual(await reader.read(kind, id), body);
  const gone = reader.has("chunk", dead.slice(1).map(({ id }) => id));
  assert.ok(gone.every((here) => !here));
  assert.equal(counters.get("losses"), 0, "nothing that anybody could ask for was lost");
  await writer.commitRecords("open", []);
  await assertInvariants(store, dir.path);
});

Deno.test("gc: a recipe that is not here is told, and does not end the collection", async () => {
  await using store = await openTestStore(undefined);
  const [missing] = recipe(chunks(0, 2), 1) as [DataRecord];
  await store.writer.commitRecords(undefined, [chunk(1)]);
  store.clock.advance(GRACE * 2);
  const roots = [{ kind: missing.kind, id: missing.id }];
  const collected = await store.writer.gc({ roots, grace: GRACE });
  assert.deepEqual([collected.broken, collected.removed], [1, 1]);
});

Deno.test("gc: packs that are mostly dead are rewritten and their bytes come back", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, { segmentSize: 300_000 });
  const { writer, reader, clock } = store;
  const all = chunks(0, 200, 10_000);
  await writer.commitRecords(undefined, all);
  await writer.seal();
  const before = await segmentBytes(dir.path);
  clock.advance(GRACE * 2);
  const live = all.filter((_, i) => i % 5 === 0);
  const collected = await writer.gc({ roots: live, grace: GRACE });
  assert.equal(collected.removed, 160);
  const after = await segmentBytes(dir.path);
  assert.ok(after < before * 0.4, `${before} bytes before, ${after} after`);
  assert.ok(collected.freed_bytes > before * 0.6);
  for (const { id, body } of live) assert.deepEqual(await reader.read("chunk", id), body);
  await writer.seal();
  await assertInvariants(store, dir.path);
});

Deno.test("seal with zstd: bodies get smaller where they can, and read the same", async () => {
  await using dir = await tempDir();
  const text = (i: number): DataRecord => {
    const body = new TextEncoder().encode(`line ${i} of a log that repeats itself\n`.repeat(300));
    return { kind: "chunk", id: sha256(body), body };
  };
  const records = Array.from({ length: 60 }, (_, i) => i % 3 === 0 ? chunk(i, 12_000) : text(i));
  {
    await using store = await openTestStore(dir.path, { compression: "zstd" });
    const { writer, reader } = store;
    await writer.commitRecords(undefined, records.slice(0, 40));
    await writer.append("open", records.slice(40));
    const before = await segmentBytes(dir.path);
    await writer.seal();
    assert.ok(await segmentBytes(dir.path) < before * 0.6);
    await writer.commitRecords("open", []);
    const codecs = writer.shared.db.prepare(
      "SELECT codec, count(*) AS n FROM location GROUP BY codec ORDER BY codec",
    ).all();
    assert.deepEqual(codecs.map(({ codec, n }) => [codec, n]), [[0, 20], [1, 40]]);
    for (const { id, body } of records) assert.deepEqual(await reader.read("chunk", id), body);
    assert.equal((await writer.verify()).damaged, 0);
    await writer.seal();
    await assertInvariants(store, dir.path);
  }
  await Deno.remove(dir.join("packs.sqlite"));
  await using store = await openTestStore(dir.path, { compression: "zstd" });
  for (const { id, body } of records) assert.deepEqual(await store.reader.read("chunk", id), body);
});

Deno.test("seal with zstd: what does not compress is sealed as it is, without a second copy", async () => {
  await using dir = await tempDir();
  const met: string[] = [];
  await using store = await openTestStore(dir.path, {
    compression: "zstd",
    faults: (point) => void met.push(point),
  });
  await store.writer.commitRecords(undefined, chunks(0, 40, 5000));
  await store.writer.seal();
  assert.ok(met.includes("seal.before_footer"));
  assert.ok(!met.includes("squeeze.before_write"));
});

Deno.test("gc: a dry run changes nothing, and tells what the next run does, with reasons", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, { segmentSize: 16 * 1024 });
  const { writer, reader, clock } = store;
  const all = chunks(0, 60);
  for (const one of all) await writer.commitRecords(undefined, [one]);
  await writer.seal();
  clock.advance(GRACE + 2000);
  // The second half of the packs keeps nothing, the first one all.
  const roots = all.slice(0, 30).map(({ kind, id }) => ({ kind, id }));
  const before = await segmentBytes(dir.path);
  const planned = await writer.gc({ roots, grace: GRACE, dryRun: true });
  assert.equal(await segmentBytes(dir.path), before);
  assert.ok(reader.has("chunk", all.map(({ id }) => id)).every(Boolean), "all is here");
  assert.equal(planned.removed, 30);
  assert.ok(planned.packs.length >= 1);
  for (const { reason } of planned.packs) {
    assert.match(reason, /^(only \d+ % alive|nothing in it is alive)$/);
  }
  const done = await writer.gc({ roots, grace: GRACE });
  assert.deepEqual(done, planned, "it does what was told");
  assert.ok(await segmentBytes(dir.path) < before);
  await assertInvariants(store, dir.path);
});

Deno.test("what goes next is told in the order in which it goes, with reasons", async () => {
  await using dir = await tempDir();
  const maxSize = 8 * 1024 * 1024;
  await using store = await openTestStore(dir.path, { maxSize, segmentSize: 256 * 1024 });
  const { writer, clock, events } = store;
  for (let round = 0; writer.stats().disk_bytes < maxSize * 0.8; round++) {
    clock.advance(60_000);
    await writer.commitRecords(undefined, chunks(round * 100, round * 100 + 30, 10_000));
  }
  const next = writer.nextToGo(3);
  assert.equal(next.length, 3);
  for (let round = 900; events.filter(({ type }) => type === "evicted").length < 3; round++) {
    await writer.commitRecords(undefined, chunks(round * 100, round * 100 + 30, 10_000));
  }
  const went = events.filter((event) => event.type === "evicted").slice(0, 3);
  assert.deepEqual(went.map(({ segment }) => segment), next.map(({ pack }) => pack));
  for (const { reason } of went) assert.match(reason, /^last used .+ ago on average, \d+ % alive$/);
});
