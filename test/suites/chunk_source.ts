/** What every {@linkcode ChunkSource} promises, as a table of cases. */
import assert from "node:assert/strict";
import { concat, equalBytes } from "../../core/bytes.ts";
import type { ChunkSource, WantedBody } from "../../core/chunk_store.ts";
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

function wanted(records: readonly DataRecord[]): WantedBody[] {
  return records.map(({ id, body }) => ({ id, length: body.length }));
}

/** As a promise, whether it answers at once, by one, or throws. */
async function joined(
  source: ChunkSource,
  records: readonly WantedBody[],
  signal?: AbortSignal,
): Promise<Bytes> {
  using held = source.hold("chunk", records);
  return await held.join(0, records.length, { signal });
}

const CASES: Readonly<Record<string, (test: ChunkSourceUnderTest) => Promise<void>>> = {
  async "an empty source has nothing"({ source }) {
    const { id } = record(10);
    assert.deepEqual(source.has("chunk", [id, id]), [false, false]);
    assert.deepEqual(source.has("chunk", []), []);
    assert.equal(await source.read("chunk", id), undefined);
    assert.equal((await joined(source, [])).length, 0);
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

  async "hold() keeps the order asked, also backwards and repeated"({ source, store }) {
    const records = Array.from({ length: 40 }, (_, i) => record(i * 331));
    await store(records.slice(0, 25).map(copy));
    await store(records.slice(25).map(copy));
    const order = [...records, ...records.toReversed(), records[3]!, records[3]!, records[39]!];
    const bytes = await joined(source, wanted(order));
    assert.ok(equalBytes(bytes, concat(order.map(({ body }) => body))));
  },

  async "join() joins bodies of every size, empty ones and shorter than a head"(
    { source, store },
  ) {
    const records = [0, 1, 20, 55, 56, 57, 3, 0, 300_000, 2, 2_000_000, 1, 0].map((n) => record(n));
    await store(records.map(copy));
    for (const order of [records, records.toReversed()]) {
      const bytes = await joined(source, wanted(order));
      assert.ok(equalBytes(bytes, concat(order.map(({ body }) => body))));
    }
  },

  async "join() gives memory that is the caller's alone"({ source, store }) {
    const [one, other] = [record(1000), record(2000)];
    await store([copy(one), copy(other)]);
    for (const order of [[one], [one, other]]) {
      const bytes = await joined(source, wanted(order));
      bytes.fill(7);
      bytes.buffer.transfer(0);
      const again = await joined(source, wanted(order));
      assert.ok(equalBytes(again, concat(order.map(({ body }) => body))));
    }
  },

  async "join() reads any part of what is held, as often as asked"({ source, store }) {
    const records = Array.from({ length: 12 }, (_, i) => record(i * 977));
    await store(records.map(copy));
    using held = source.hold("chunk", wanted(records));
    for (const [from, to] of [[0, 12], [3, 7], [11, 12], [5, 5], [0, 1], [3, 7]] as const) {
      const bytes = await held.join(from, to);
      assert.ok(equalBytes(bytes, concat(records.slice(from, to).map(({ body }) => body))));
    }
  },

  async "hold() is corrupt when one is not here or has another length"({ source, store }) {
    const [a, b, missing] = [record(10), record(20), record(30)];
    await store([copy(a), copy(b)]);
    const refused = (records: readonly WantedBody[]) =>
      assert.rejects(joined(source, records), (error) => isKind(error, "corrupt"));
    await refused(wanted([a, b, missing, a]));
    await refused([...wanted([a]), { id: b.id, length: 21 }]);
    await refused([{ id: a.id, length: 9 }, ...wanted([b])]);
  },

  async "an aborted signal ends read() and join() with its reason"({ source, store }) {
    const records = Array.from({ length: 5 }, () => record(2_000_000));
    await store(records.map(copy));
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const { id } = records[0]!;
    await assert.rejects(async () => void await source.read("chunk", id, { signal }), reason);
    await assert.rejects(joined(source, wanted(records), signal), reason);
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
    const both = joined(source, wanted([good, bad]));
    await assert.rejects(both, (error) => isKind(error, "corrupt"));
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
