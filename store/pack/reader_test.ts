import assert from "node:assert/strict";
import { RECORD_HEADER_BYTES } from "../../codec/record.ts";
import { Counters } from "../../core/counters.ts";
import { toHex } from "../../core/digest.ts";
import type { DataRecord } from "../../core/record.ts";
import { chunks, openTestStore } from "../../test/fault/pack_store.ts";
import type { TestStore } from "../../test/fault/pack_store.ts";
import { assertNoLeaks } from "../../test/helpers/leaks.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { chunkSourceSuite } from "../../test/suites/chunk_source.ts";
import type { ChunkSourceUnderTest } from "../../test/suites/chunk_source.ts";
import { MemoryObjectStore } from "../memory.ts";
import { openPackReader } from "./reader.ts";

/** Changes a byte of a record's body where it stands on the disk. */
async function flip(store: TestStore, dir: string, record: DataRecord): Promise<void> {
  const row = store.writer.shared.db.prepare(
    "SELECT name, area, state, offset FROM location JOIN segments ON number = segment WHERE id = ?",
  ).get(record.id)!;
  const name = String(row["name"]);
  const path = row["state"] === "sealed"
    ? `${dir}/objects/${row["area"]}/${name.slice(-2)}/${name}`
    : `${dir}/active/${name}.seg`;
  using file = await Deno.open(path, { read: true, write: true });
  await file.seek(Number(row["offset"]) + RECORD_HEADER_BYTES + 3, Deno.SeekMode.Start);
  await file.write(new Uint8Array([record.body[3]! ^ 0xff]));
}

interface Flavour {
  readonly sealed: boolean;
  readonly folder: boolean;
  readonly far?: boolean;
  readonly compression?: "zstd";
}

async function open(flavour: Flavour): Promise<ChunkSourceUnderTest> {
  const stack = new AsyncDisposableStack();
  const dir = flavour.folder ? stack.use(await tempDir()) : undefined;
  const objects = flavour.far ? new MemoryObjectStore() : undefined;
  const store = stack.use(
    await openTestStore(dir?.path, {
      ...(flavour.compression ? { compression: flavour.compression } : {}),
      ...(objects ? { objects } : {}),
    }),
  );
  const canDamage = dir !== undefined && !flavour.far;
  return {
    source: store.reader,
    async store(records) {
      await store.writer.commitRecords(undefined, records);
      if (flavour.sealed) await store.writer.seal();
    },
    damage: canDamage ? (record) => flip(store, dir.path, record) : undefined,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

chunkSourceSuite("packs, active segment", { open: () => open({ sealed: false, folder: true }) });
chunkSourceSuite("packs, sealed", { open: () => open({ sealed: true, folder: true }) });
chunkSourceSuite("packs, sealed and compressed", {
  open: () => open({ sealed: true, folder: true, compression: "zstd" }),
});
chunkSourceSuite("packs on a far medium", {
  open: () => open({ sealed: true, folder: true, far: true }),
});
chunkSourceSuite("packs in memory", { open: () => open({ sealed: false, folder: false }) });
chunkSourceSuite("packs in memory, sealed", { open: () => open({ sealed: true, folder: false }) });

Deno.test("PackReader: checks SHA-256 on the first read after an unclean stop", async () => {
  await using dir = await tempDir();
  const [record] = chunks(0, 1) as [DataRecord];
  const wrong = { ...record, body: new Uint8Array(record.body.length) };
  {
    await using store = await openTestStore(dir.path);
    await store.writer.commitRecords(undefined, [wrong]);
    assert.deepEqual(store.reader.read("chunk", record.id), wrong.body, "the CRC is right");
  }
  {
    await using store = await openTestStore(dir.path);
    assert.deepEqual(store.reader.read("chunk", record.id), wrong.body, "the stop was clean");
    const { counters, objects, damage } = store;
    await using strict = openPackReader({
      store: { dir: dir.path },
      objects,
      counters,
      verify: "always",
      onDamage: (place) => damage.push(place),
    });
    assert.equal(strict.read("chunk", record.id), undefined);
    assert.equal(damage.length, 1);
  }
  await Deno.remove(dir.join("packs.sqlite"));
  await using store = await openTestStore(dir.path);
  assert.equal(store.reader.read("chunk", record.id), undefined);
  assert.equal(toHex(store.damage[0]!.id!), toHex(record.id));
});

Deno.test("PackReader: retire() closes what nobody reads, and the rest when its readers are done", () =>
  assertNoLeaks(async () => {
    await using dir = await tempDir();
    await using store = await openTestStore(dir.path);
    const records = chunks(0, 3, 800_000);
    await store.writer.commitRecords(undefined, records);
    await using reader = openPackReader({
      store: { dir: dir.path },
      objects: store.objects,
      counters: new Counters(),
    });
    const openFiles = () =>
      [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
        try {
          return Deno.readLinkSync(`/proc/self/fd/${name}`).endsWith(".seg");
        } catch (error) {
          // The descriptor of the listing itself.
          if (error instanceof Deno.errors.NotFound) return false;
          throw error;
        }
      }).length;
    const before = openFiles();
    const held = reader.hold("chunk", records.map(({ id, body }) => ({ id, length: body.length })));
    assert.equal(openFiles(), before + 1);
    reader.retire([1, 2, 3]);
    assert.equal(openFiles(), before + 1, "it is being read");
    assert.deepEqual(held.join(2, 3), records[2]!.body);
    held[Symbol.dispose]();
    assert.equal(openFiles(), before);
  }));
