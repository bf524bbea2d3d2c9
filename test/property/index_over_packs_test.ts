/** The index over the real log: the suite, and a store that is closed, lost and compacted. */
import assert from "node:assert/strict";
import { openTestStore } from "../fault/pack_store.ts";
import { tempDir } from "../helpers/temp.ts";
import { metadataIndexSuite } from "../suites/metadata_index.ts";
import {
  blob,
  draft,
  indexWorld,
  keyed,
  putWhole,
  scanned,
} from "../suites/metadata_index_world.ts";
import { openWriter } from "../suites/open_index.ts";

metadataIndexSuite("IndexWriter over packs", async (world) => {
  const store = await openTestStore(undefined, { segmentSize: 8000 });
  const index = await openWriter(world, { path: ":memory:", log: store.writer.log });
  return {
    index,
    async [Symbol.asyncDispose]() {
      await index[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
});

Deno.test("IndexWriter over packs comes back from the log of a folder, compacted or not", async () => {
  await using dir = await tempDir();
  const path = dir.join("index.sqlite");
  const world = indexWorld();
  let want: unknown;
  for (let life = 0; life < 6; life++) {
    await using store = await openTestStore(dir.path, { segmentSize: 8000 });
    await using index = await openWriter(world, { path, log: store.writer.log });
    const state = async () => ({
      totals: index.totals(),
      items: (await scanned(index, { tombstones: true })).map((item) => ({
        ...(item.type === "entry" ? item.entry : item.tombstone),
        sequence: 0,
      })),
      summary: await index.summarize("default", "main", ""),
    });
    if (life > 0) assert.deepEqual(await state(), want, `life ${life}`);
    await Promise.all(
      Array.from(
        { length: 40 },
        (_, at) =>
          putWhole(index, draft(`k${at}`, { blobs: [blob(`${life % 2} ${at}`)], cost: life })),
      ),
    );
    await index.delete([keyed(`k${life}`)]);
    if (life % 3 === 1) assert.equal(await index.compact({ force: true }), true);
    await index.put(draft("after", { cost: life }));
    want = await state();
    await index[Symbol.asyncDispose]();
    if (life % 2 === 0) await Deno.remove(path);
    assert.deepEqual(
      world.reports.filter(({ kind }) => kind !== "not_found"),
      [],
      "but of the lost file",
    );
  }
});
