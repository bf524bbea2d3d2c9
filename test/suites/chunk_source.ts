/** What every {@linkcode ChunkSource} promises, as a table of cases. */
import assert from "node:assert/strict";
import type { ChunkSource } from "../../core/chunk_store.ts";
import type { Bytes } from "../../core/digest.ts";
import { sha256 } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import type { DataRecord } from "../../core/record.ts";
import { seededRandom } from "../helpers/random.ts";

/** A source under test, and the ways to change what it shows. */
export interface ChunkSourceUnderTest extends AsyncDisposable {
  readonly source: ChunkSource;
  /** Resolves when the source shows these records. */
  store(records: readonly DataRecord[]): Promise<void>;
  /** Damages a record that is stored; `undefined` where nothing can be damaged. */
  damage?: ((record: DataRecord) => Promise<void>) | undefined;
}

/** Options of {@linkcode chunkSourceSuite}. */
export interface ChunkSourceSuiteOptions {
  /** A fresh, empty source; called once a case. */
  open(): Promise<ChunkSourceUnderTest> | ChunkSourceUnderTest;
}

const random = seededRandom("VITTE_CHUNK_SOURCE_SEED");

function record(size: number, kind: DataRecord["kind"] = "chunk"): DataRecord {
  const body = random.bytes(size);
  return { kind, id: sha256(body), body };
}

/** The same record with memory of its own: `store` takes that of what it is given. */
function copy({ kind, id, body }: DataRecord): DataRecord {
  return { kind, id: id.slice(), body: body.slice() };
}

async function all(bodies: AsyncIterable<Bytes>): Promise<Bytes[]> {
  const found: Bytes[] = [];
  // A body may be a view of memory that the next one is read into: take it now.
  for await (const body of bodies) found.push(body.slice());
  return found;
}

const CASES: Readonly<Record<string, (test: ChunkSourceUnderTest) => Promise<void>>> = {
  async "an empty source has nothing"({ source }) {
    const { id } = record(10);
    assert.deepEqual(source.has("chunk", [id, id]), [false, false]);
    assert.deepEqual(source.has("chunk", []), []);
    assert.equal(await source.read("chunk", id), undefined);
    assert.deepEqual(await all(source.readAll("chunk", [])), []);
  },

  async "read() gives back bodies of every size"({ source, store }) {
    const records = [0, 1, 55, 56, 4096, 65_537, 300_000, 3_000_000].map((size) => record(size));
    await store(records.map(copy));
    for (const { id, body } of records) assert.deepEqual(await source.read("chunk", id), body);
    assert.ok(source.has("chunk", records.map(({ id }) => id)).every(Boolean));
  },

  async "has() answers in the order asked, each id by itself"({ source, store }) {
    const [here, there] = [record(10), record(20)];
    await store([copy(here)]);
    assert.deepEqual(source.has("chunk", [there.id, here.id, there.id, here.id]), [
      false,
      true,
      false,
      true,
    ]);
  },

  async "kinds are worlds of their own"({ source, store }) {
    const chunk = record(100);
    const recipe: DataRecord = { kind: "recipe", id: chunk.id, body: random.bytes(50) };
    await store([copy(chunk)]);
    assert.deepEqual(source.has("recipe", [chunk.id]), [false]);
    assert.equal(await source.read("recipe", chunk.id), undefined);
    await store([copy(recipe)]);
    assert.deepEqual(await source.read("recipe", chunk.id), recipe.body);
    assert.deepEqual(await source.read("chunk", chunk.id), chunk.body);
    assert.equal(await source.read("tree", chunk.id), undefined);
  },

  async "readAll() keeps the order asked, also backwards and with repetitions"({ source, store }) {
    const records = Array.from({ length: 40 }, (_, i) => record(i * 331));
    await store(records.slice(0, 25).map(copy));
    await store(records.slice(25).map(copy));
    const order = [...records, ...records.toReversed(), records[3]!, records[3]!, records[39]!];
    const bodies = await all(source.readAll("chunk", order.map(({ id }) => id)));
    assert.deepEqual(bodies, order.map(({ body }) => body));
  },

  async "readAll() reads more than one run of bytes at a time may hold"({ source, store }) {
    const records = Array.from({ length: 30 }, () => record(100_000));
    await store(records.map(copy));
    const bodies = await all(source.readAll("chunk", records.map(({ id }) => id)));
    assert.deepEqual(bodies, records.map(({ body }) => body));
  },

  async "readAll() ends with corrupt at the first that is not here"({ source, store }) {
    const [a, b, missing] = [record(10), record(20), record(30)];
    await store([copy(a), copy(b)]);
    const got: Bytes[] = [];
    const read = async () => {
      const ids = [a.id, b.id, missing.id, a.id];
      for await (const body of source.readAll("chunk", ids)) got.push(body.slice());
    };
    await assert.rejects(read(), (error) => isKind(error, "corrupt"));
    assert.deepEqual(got, [a.body, b.body]);
  },

  async "readAll() may be given up in the middle"({ source, store }) {
    const records = Array.from({ length: 10 }, () => record(1000));
    await store(records.map(copy));
    for await (const body of source.readAll("chunk", records.map(({ id }) => id))) {
      assert.deepEqual(body, records[0]!.body);
      break;
    }
    assert.deepEqual(await source.read("chunk", records[9]!.id), records[9]!.body);
  },

  async "an aborted signal ends read() and readAll() with its reason"({ source, store }) {
    const records = Array.from({ length: 5 }, () => record(2_000_000));
    await store(records.map(copy));
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const ids = records.map(({ id }) => id);
    await assert.rejects(async () => void await source.read("chunk", ids[0]!, { signal }), reason);
    await assert.rejects(all(source.readAll("chunk", ids, { signal })), reason);
    const later = new AbortController();
    const read = async () => {
      for await (const _ of source.readAll("chunk", ids, { signal: later.signal })) {
        later.abort(reason);
      }
    };
    await assert.rejects(read(), reason);
  },

  async "many reads of one record at the same time all get it"({ source, store }) {
    const one = record(50_000);
    await store([copy(one)]);
    const reads = await Promise.all(
      Array.from({ length: 20 }, async () => await source.read("chunk", one.id)),
    );
    for (const body of reads) assert.deepEqual(body, one.body);
  },

  async "storing a record again changes nothing"({ source, store }) {
    const one = record(1000);
    await store([copy(one)]);
    const losses = source.losses();
    await store([copy(one), copy(one)]);
    assert.deepEqual(await source.read("chunk", one.id), one.body);
    assert.equal(source.losses(), losses);
  },

  async "a damaged record is a miss, and counts as a loss"({ source, store, damage }) {
    if (!damage) return;
    const [bad, good] = [record(500), record(500)];
    await store([copy(bad), copy(good)]);
    const before = source.losses();
    await damage(bad);
    assert.equal(await source.read("chunk", bad.id), undefined);
    assert.deepEqual(await source.read("chunk", good.id), good.body);
    const ids = [good.id, bad.id];
    await assert.rejects(all(source.readAll("chunk", ids)), (error) => isKind(error, "corrupt"));
    for (let look = 0; look < 50 && source.losses() === before; look++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    assert.equal(source.losses(), before + 1);
    assert.deepEqual(source.has("chunk", ids), [true, false]);
    await store([copy(bad)]);
    assert.deepEqual(await source.read("chunk", bad.id), bad.body);
  },

  async "closing twice is fine"({ source }) {
    await source[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
  },
};

/** Registers the suite under a name. */
export function chunkSourceSuite(name: string, options: ChunkSourceSuiteOptions): void {
  Deno.test(`ChunkSource suite: ${name}`, async (t) => {
    for (const [title, run] of Object.entries(CASES)) {
      await t.step(title, async () => {
        await using test = await options.open();
        await run(test);
      });
    }
  });
}
