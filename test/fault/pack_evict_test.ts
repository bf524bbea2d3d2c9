/** A store that is full: what goes, what stays, and who may be reading meanwhile. */
import assert from "node:assert/strict";
import { concat, equalBytes } from "../../core/bytes.ts";
import { sha256 } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import { trackWorker } from "../helpers/leaks.ts";
import { longOr } from "../helpers/long.ts";
import { tempDir } from "../helpers/temp.ts";
import { assertInvariants } from "./pack_invariants.ts";
import { chunk, chunks, openTestStore } from "./pack_store.ts";

const MAX = 8 * 1024 * 1024;

Deno.test("PackWriter: a full store keeps the hot set and never has more than its limit", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, { maxSize: MAX, segmentSize: 256 * 1024 });
  const { writer, reader, clock, counters } = store;
  const hot = chunks(0, 40, 10_000);
  await writer.commitRecords(undefined, hot);
  let highest = 0;
  for (let round = 1; round <= 60; round++) {
    clock.advance(60_000);
    writer.touch("chunk", hot.map(({ id }) => id), clock.now());
    await writer.commitRecords(undefined, chunks(round * 100, round * 100 + 30, 10_000));
    highest = Math.max(highest, writer.stats().disk_bytes);
  }
  assert.ok(highest <= MAX * 1.03, `${highest} bytes of ${MAX}`);
  assert.ok(writer.stats().disk_bytes > MAX * 0.8, "it is used, too");
  const here = reader.has("chunk", hot.map(({ id }) => id));
  assert.ok(here.every(Boolean), `${here.filter(Boolean).length} of 40 hot chunks are left`);
  for (const { id, body } of hot) assert.deepEqual(await reader.read("chunk", id), body);
  const newest = chunks(6000, 6030, 10_000);
  assert.ok(reader.has("chunk", newest.map(({ id }) => id)).every(Boolean));
  assert.ok(counters.get("evicted_segments") > 20);
  assert.ok(counters.get("losses") > 500);
  assert.equal(counters.get("losses"), reader.losses());
  assert.ok(counters.get("evicted_bytes") > 5_000_000);
  await writer.seal();
  await assertInvariants(store, dir.path);
});

Deno.test("PackWriter: what an open upload relies on is not evicted", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, { maxSize: MAX, segmentSize: 256 * 1024 });
  const { writer, reader, clock } = store;
  const old = chunks(0, 20, 10_000);
  await writer.commitRecords(undefined, old);
  const pending = chunks(50, 70, 10_000);
  await writer.append("other", [...pending, ...old]);
  await writer.append("slow", pending);
  await writer.append("slow", old);
  await writer.abort("other");
  for (let round = 1; round <= 60; round++) {
    clock.advance(60_000);
    await writer.commitRecords(undefined, chunks(round * 100, round * 100 + 30, 10_000));
  }
  await writer.commitRecords("slow", []);
  for (const { id, body } of [...old, ...pending]) {
    assert.deepEqual(await reader.read("chunk", id), body);
  }
  await writer.seal();
  await assertInvariants(store, dir.path);
});

Deno.test("PackWriter: more than fits is quota_exceeded, and what fits goes on", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, { maxSize: MAX, segmentSize: 256 * 1024 });
  const { writer, reader } = store;
  const upload = async () => {
    for (let i = 0; i < 1000; i++) {
      await writer.append("large", chunks(i * 10, i * 10 + 10, 10_000));
    }
  };
  await assert.rejects(upload(), (error) => isKind(error, "quota_exceeded"));
  assert.ok(writer.stats().disk_bytes <= MAX * 1.03);
  await assert.rejects(
    writer.commitRecords("large", []),
    (error) => isKind(error, "quota_exceeded"),
    "a failed upload can not be committed",
  );
  const next = chunk(999_999);
  await writer.commitRecords(undefined, [next]);
  assert.deepEqual(reader.read("chunk", next.id), next.body);
  await writer.seal();
  await assertInvariants(store, dir.path);
});

Deno.test("PackWriter: the reserve of the disk is kept free, also when its figure lags behind", async () => {
  await using dir = await tempDir();
  const gib = 1024 ** 3;
  let free = 10 * gib;
  await using store = await openTestStore(dir.path, {
    maxSize: 100 * gib,
    segmentSize: 256 * 1024,
    reserve: () => ({ free, total: 20 * gib }),
  });
  const { writer } = store;
  for (let i = 0; i < 20; i++) {
    await writer.commitRecords(undefined, chunks(i * 50, i * 50 + 50, 10_000));
  }
  assert.equal(store.counters.get("evicted_segments"), 0);
  free = gib + 500_000;
  await writer.commitRecords(undefined, chunks(5000, 5090, 10_000));
  const evicted = store.counters.get("evicted_segments");
  assert.ok(evicted >= 2 && evicted <= 4, `${evicted} segments for 400 KB`);
});

Deno.test("PackReader: a read that has begun ends well although its packs are evicted", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, { maxSize: MAX, segmentSize: 256 * 1024 });
  const { writer, reader, clock, counters } = store;
  const records = chunks(0, 200, 10_000);
  await writer.commitRecords(undefined, records);
  await writer.seal();
  const wanted = records.map(({ id, body }) => ({ id, length: body.length }));
  const held = reader.hold("chunk", wanted);
  assert.deepEqual(held.join(0, 1), records[0]!.body);
  for (let round = 1; round <= 60; round++) {
    clock.advance(60_000);
    await writer.commitRecords(undefined, chunks(round * 1000, round * 1000 + 30, 10_000));
  }
  assert.ok(reader.has("chunk", records.map(({ id }) => id)).every((here) => !here));
  assert.ok(counters.get("losses") >= 200);
  const rest = concat(records.slice(1).map(({ body }) => body));
  assert.ok(equalBytes(await held.join(1, 200), rest));
  held[Symbol.dispose]();
  assert.throws(() => reader.hold("chunk", wanted), (error) => isKind(error, "corrupt"));
  const open = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      return "";
    }
  });
  const deleted = open.filter((path) => path.startsWith(dir.path) && path.endsWith("(deleted)"));
  assert.deepEqual(deleted, [], "nothing holds what was evicted");
});

Deno.test("PackReader: readers that read all the time while packs are sealed and evicted see no wrong byte", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, {
    maxSize: MAX,
    segmentSize: 128 * 1024,
    compression: "zstd",
  });
  const { writer, reader, clock } = store;
  let newest = 0;
  let done = false;
  let [hits, misses] = [0, 0];
  const text = (number: number) => {
    const record = chunk(number, 5000);
    record.body.copyWithin(1000, 0, 1000);
    record.body.fill(7, 2500);
    return record;
  };
  const records = new Map<number, ReturnType<typeof chunk>>();
  const make = (number: number) => {
    let record = records.get(number);
    if (!record) {
      const { body } = text(number);
      records.set(number, record = { kind: "chunk", id: sha256(body), body });
    }
    return record;
  };
  const read = async () => {
    for (let i = 0; !done; i = i * 7 + 1) {
      const { id, body } = make(i % (newest + 1));
      const found = await reader.read("chunk", id);
      if (found) assert.deepEqual(found, body);
      if (found) hits++;
      else misses++;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  };
  const readers = [read(), read(), read()];
  for (let round = 0; round < longOr(60, 30); round++) {
    clock.advance(60_000);
    const batch = Array.from({ length: 50 }, (_, i) => make(round * 50 + i));
    await writer.commitRecords(
      undefined,
      batch.map((record) => ({ ...record, body: record.body.slice() })),
    );
    newest = round * 50 + 49;
  }
  done = true;
  await Promise.all(readers);
  assert.ok(hits > 20, `${hits} hits, ${misses} misses`);
  assert.equal(store.writer.stats().quarantined, 0);
  assert.deepEqual(store.events.filter(({ type }) => type === "failed" || type === "damage"), []);
});

Deno.test("PackWriter: hot records that lie among cold ones are moved forward", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, { maxSize: MAX, segmentSize: 256 * 1024 });
  const { writer, reader, clock } = store;
  const hot: ReturnType<typeof chunk>[] = [];
  for (let round = 1; round <= 80; round++) {
    clock.advance(60_000);
    const batch = chunks(round * 100, round * 100 + 30, 10_000);
    if (round <= 10) hot.push(...batch.slice(0, 3));
    await writer.commitRecords(undefined, batch);
    writer.touch("chunk", hot.map(({ id }) => id), clock.now());
  }
  assert.ok(store.counters.get("evicted_segments") > 40);
  for (const { id, body } of hot) assert.deepEqual(await reader.read("chunk", id), body);
});

Deno.test("PackWriter: an upload that comes to rely on a pack while it is evicted keeps it", async () => {
  await using dir = await tempDir();
  const late: Promise<void>[] = [];
  const old = chunks(0, 5, 10_000);
  let append = () => {};
  await using store = await openTestStore(dir.path, {
    maxSize: MAX,
    segmentSize: 256 * 1024,
    // The last moment at which somebody else can have a turn.
    faults: (point) => point === "drop.before_tables" && append(),
  });
  const { writer, reader, clock } = store;
  await writer.commitRecords(undefined, old);
  append = () => {
    append = () => {};
    late.push(writer.append("late", old));
  };
  for (let round = 1; round <= 60; round++) {
    clock.advance(60_000);
    await writer.commitRecords(undefined, chunks(round * 100, round * 100 + 30, 10_000));
  }
  assert.equal(late.length, 1);
  await late[0];
  await writer.commitRecords("late", []);
  for (const { id, body } of old) assert.deepEqual(await reader.read("chunk", id), body);
});

Deno.test("PackReader: a reader on another thread sees no miss or damage while packs are sealed and moved", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, {
    segmentSize: 64 * 1024,
    compression: "zstd",
  });
  const { writer } = store;
  const texts = Array.from({ length: 400 }, (_, i) => {
    const body = new TextEncoder().encode(`${i} `.repeat(1000));
    return { kind: "chunk" as const, id: sha256(body), body };
  });
  const worker = trackWorker(
    new Worker(new URL("./pack_reader_worker.ts", import.meta.url), { type: "module" }),
  );
  try {
    const told = (want: string) =>
      new Promise<{ reads: number; problems: string[] }>((resolve, reject) => {
        worker.onerror = (event) => reject(new Error(event.message));
        worker.onmessage = ({ data }) => data.type === want && resolve(data);
      });
    await writer.commitRecords(undefined, texts.slice(0, 10).map((t) => ({ ...t })));
    const ready = told("ready");
    worker.postMessage({ dir: dir.path, counters: store.counters.buffer });
    await ready;
    for (let i = 0; i < 400; i += 10) {
      await writer.commitRecords(undefined, texts.slice(i, i + 10));
      worker.postMessage({ ids: texts.slice(i, i + 10).map(({ id }) => id) });
      if (i % 50 === 0) await writer.seal();
    }
    const done = told("done");
    worker.postMessage({ stop: true });
    const { reads, problems } = await done;
    assert.deepEqual(problems, []);
    assert.ok(reads >= 400, `${reads} reads: each record is read once at least`);
  } finally {
    worker.terminate();
  }
});
