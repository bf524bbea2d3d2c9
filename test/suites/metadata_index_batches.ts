/** Rules of the index suite: batches, rounds, visibility, totals. */
import assert from "node:assert/strict";
import type { IndexCase } from "./metadata_index.ts";
import { blob, draft, keyed, keysOf, putWhole, refused, scanned } from "./metadata_index_world.ts";

const namespace = "default";

/** See `INDEX_CASES`. */
export const BATCH_CASES: Readonly<Record<string, IndexCase>> = {
  "commit() of an empty batch does nothing": async (index) => {
    assert.deepEqual(await index.commit({}), { puts: [], removed: 0 });
    assert.equal((await index.put(draft("k"))).entry.sequence, 1);
  },
  "commit() does all parts of a batch, outcomes in order": async (index) => {
    await index.put(draft("old"));
    const { puts, removed } = await index.commit({
      entries: [draft("b"), draft("a"), draft("b", { cost: 2 })],
      remove: [keyed("old"), keyed("nothing")],
      link: [{ namespace, blob: blob("1") }],
    });
    assert.equal(removed, 1);
    assert.deepEqual(puts.map(({ entry }) => entry.key), ["b", "a", "b"]);
    assert.deepEqual(puts[2]?.replaced, puts[0]?.entry);
    assert.deepEqual(await keysOf(index), ["a", "b"]);
    assert.equal((await index.get(keyed("b")))?.cost, 2);
    assert.deepEqual(index.totals(), { entries: 2, blobs: 1, logical_bytes: 1 });
  },
  "commit() with a conflict keeps nothing of its batch": async (index) => {
    await index.put(draft("taken"));
    await index.put(draft("stays"));
    const before = await scanned(index, { tombstones: true });
    await refused("conflict", () =>
      index.commit({
        entries: [draft("new"), draft("taken", { mutability: "immutable" })],
        remove: [keyed("stays")],
        link: [{ namespace, blob: blob("1") }],
      }));
    assert.deepEqual(await scanned(index, { tombstones: true }), before);
    assert.deepEqual(index.totals(), { entries: 2, blobs: 0, logical_bytes: 0 });
    assert.equal((await index.put(draft("next"))).entry.sequence, 3);
  },
  "commit() removes the version that was named, and no other": async (index) => {
    const { entry: old } = await index.put(draft("k"));
    const { entry: now } = await index.put(draft("k", { cost: 2 }));
    const { sequence } = old;
    assert.equal((await index.commit({ remove: [{ ...keyed("k"), sequence }] })).removed, 0);
    assert.deepEqual(await index.get(keyed("k")), now);
    const remove = [{ ...keyed("k"), sequence: now.sequence }];
    assert.equal((await index.commit({ remove })).removed, 1);
    assert.equal(await index.get(keyed("k")), undefined);
  },
  "commit() removes before it puts": async (index) => {
    await index.put(draft("k"));
    const { puts, removed } = await index.commit({
      remove: [keyed("k")],
      entries: [draft("k", { mutability: "immutable", cost: 5 })],
    });
    assert.equal(removed, 1);
    assert.equal(puts[0]?.replaced, undefined);
    assert.equal((await index.get(keyed("k")))?.cost, 5);
  },
  "commit() counts blobs of its own links as present": async (index) => {
    const body = blob("1");
    await index.put(draft("k", { blobs: [body] }));
    const link = [{ namespace, blob: body }];
    const entries = [draft("k", { mutability: "immutable" })];
    await refused("conflict", () => index.commit({ entries, link }));
    assert.equal(await index.get(keyed("k")), undefined);
  },
  "commit() counts blobs of its own unlinks as missing": async (index) => {
    const body = blob("1");
    await putWhole(index, draft("k", { blobs: [body] }));
    await index.commit({
      unlink: [{ namespace, digest: body.digest }],
      entries: [draft("k", { mutability: "immutable", cost: 3 })],
    });
    assert.equal((await index.get(keyed("k")))?.cost, 3);
  },
  "commit() keeps a blob visible that it both unlinks and links": async (index) => {
    const body = blob("1");
    const link = [{ namespace, blob: body }];
    await index.commit({ link, unlink: [{ namespace, digest: body.digest }] });
    assert.deepEqual(index.visibility.find(namespace, [body.digest]), [1]);
  },
  "commit() at the same time gives one immutable put the place": async (index) => {
    const results = await Promise.allSettled(
      Array.from(
        { length: 8 },
        (_, cost) =>
          putWhole(index, draft("k", { mutability: "immutable", cost, blobs: [blob(`${cost}`)] })),
      ),
    );
    const won = results.filter(({ status }) => status === "fulfilled");
    assert.equal(won.length, 1);
    for (const result of results) {
      if (result.status === "rejected") assert.equal(result.reason.kind, "conflict");
    }
    assert.equal((await index.get(keyed("k")))?.cost, 0);
    assert.deepEqual(index.totals(), { entries: 1, blobs: 1, logical_bytes: 1 });
  },
  "commit() at the same time sees the one before, put and removed": async (index) => {
    const [, removed, second] = await Promise.all([
      index.put(draft("k")),
      index.delete([keyed("k")]),
      index.put(draft("k", { mutability: "immutable" })),
    ]);
    assert.equal(removed, 1);
    assert.equal(second.replaced, undefined);
    assert.equal(second.entry.sequence, 3);
  },
  "commit() at the same time gives every change a sequence of its own": async (index) => {
    const puts = await Promise.all(
      Array.from({ length: 200 }, (_, at) => index.put(draft(`k${at % 50}`, { cost: at }))),
    );
    const sequences = puts.map(({ entry }) => entry.sequence);
    assert.deepEqual(sequences, Array.from({ length: 200 }, (_, at) => at + 1));
    assert.equal(new Set(puts.map(({ entry }) => entry.stamp.hlc)).size, 200);
    assert.equal(index.totals().entries, 50);
    assert.equal((await index.get(keyed("k7")))?.cost, 157);
  },
  "commit() that fails does not stop those beside it": async (index) => {
    await index.put(draft("taken"));
    const results = await Promise.allSettled([
      index.put(draft("a")),
      index.put(draft("taken", { mutability: "immutable" })),
      index.put(draft("\ud800")),
      index.put(draft("b")),
    ]);
    assert.deepEqual(results.map(({ status }) => status), [
      "fulfilled",
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    assert.deepEqual(await keysOf(index), ["a", "b", "taken"]);
  },
  "commit() refuses a link with a size that is none": async (index) => {
    const wrong = { ...blob("1"), size: Number.NaN };
    await refused("invalid_argument", () =>
      index.commit({
        link: [{ namespace, blob: wrong }],
      }));
    await refused("invalid_argument", () =>
      index.commit({
        link: [{ namespace: "Bad Name", blob: blob("1") }],
      }));
    assert.equal(index.totals().blobs, 0);
  },
  "visibility.find() answers each namespace for itself": async (index) => {
    const [a, b] = [blob("a"), blob("bb")];
    await index.commit({ link: [{ namespace, blob: b }, { namespace: "other", blob: a }] });
    assert.deepEqual(index.visibility.find(namespace, [a.digest, b.digest]), [undefined, 2]);
    assert.deepEqual(index.visibility.find("other", [a.digest, b.digest]), [1, undefined]);
    assert.deepEqual(index.visibility.find("unknown", [a.digest]), [undefined]);
    assert.deepEqual(index.visibility.find(namespace, []), []);
  },
  "visibility.list() pages in order of digests": async (index) => {
    const blobs = Array.from({ length: 25 }, (_, at) => blob(`blob ${at}`));
    const link = blobs.map((one) => ({ namespace, blob: one }));
    await index.commit({ link: [...link, { namespace: "other", blob: blob("x") }] });
    const sorted = blobs.toSorted((a, b) => a.digest < b.digest ? -1 : 1);
    const found = [];
    let page = index.visibility.list(namespace, undefined, 10);
    while (page.length > 0) {
      found.push(...page);
      page = index.visibility.list(namespace, page.at(-1)?.digest, 10);
    }
    assert.deepEqual(found, sorted);
    assert.deepEqual(index.visibility.list("unknown", undefined, 10), []);
    assert.deepEqual(index.visibility.list(namespace, undefined, 0), []);
  },
  "commit() unlinks, and entries that name the blob are misses": async (index) => {
    const body = blob("1");
    await putWhole(index, draft("k", { blobs: [body] }));
    const unlink = [
      { namespace, digest: body.digest },
      { namespace, digest: blob("never").digest },
      { namespace: "unknown", digest: body.digest },
    ];
    await index.commit({ unlink });
    assert.deepEqual(index.visibility.find(namespace, [body.digest]), [undefined]);
    assert.equal(await index.get(keyed("k")), undefined);
    assert.deepEqual(index.totals(), { entries: 1, blobs: 0, logical_bytes: 0 });
  },
  "totals() count a blob once a namespace, and follow its size": async (index) => {
    const body = blob("four");
    await index.commit({ link: [{ namespace, blob: body }, { namespace, blob: body }] });
    await index.commit({ link: [{ namespace, blob: body }, { namespace: "other", blob: body }] });
    assert.deepEqual(index.totals(), { entries: 0, blobs: 2, logical_bytes: 8 });
    await index.commit({ link: [{ namespace, blob: { ...body, size: 400_000 } }] });
    assert.deepEqual(index.totals(), { entries: 0, blobs: 2, logical_bytes: 400_004 });
    await index.commit({ unlink: [{ namespace, digest: body.digest }] });
    assert.deepEqual(index.totals(), { entries: 0, blobs: 1, logical_bytes: 4 });
  },
  "totals() count entries but no tombstones": async (index) => {
    await index.commit({ entries: [draft("a"), draft("b"), draft("b")] });
    assert.equal(index.totals().entries, 2);
    await index.delete([keyed("a")]);
    assert.equal(index.totals().entries, 1);
    await index.put(draft("a"));
    assert.equal(index.totals().entries, 2);
  },
};
