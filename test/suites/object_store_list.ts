/** Cases of the object store suite: stat and list. */
import assert from "node:assert/strict";
import type { CaseContext, Cases } from "./object_store.ts";
import { keys, pattern, text } from "./object_store_asks.ts";

/** In order. "-" stands before "/", so area "a-b" is before "a"; "_" and digits are behind. */
const SORTED = [
  "a-b/00/x",
  "a/00/x",
  "a/00/x-1",
  "a/00/x.1",
  "a/00/x0",
  "a/00/x_1",
  "a/0f/b",
  "a/10/0",
  "a/10/a",
  "a/f0/a",
  "a0/00/x",
  "a_b/00/x",
  "ab/00/x",
  "b/00/x",
];

async function putAll(c: CaseContext): Promise<void> {
  // Not in order, so that the order of the answer is not that of the writes.
  for (const [i, key] of SORTED.entries()) {
    const other = SORTED[(i * 5 + 3) % SORTED.length]!;
    await c.put(other, text(other));
    assert.ok(key);
  }
}

export const LIST_CASES: Cases = {
  "lists nothing when it is empty": async (c) => {
    assert.deepEqual(await keys(c.store), []);
    assert.deepEqual(await keys(c.store, { prefix: "data/" }), []);
    assert.deepEqual(await keys(c.store, { after: "data/00/x" }), []);
  },
  "lists all objects with size and time, as stat does": async (c) => {
    await c.put("data/00/a", pattern(10));
    await c.put("data/00/b", pattern(0));
    await c.put("data/ff/c", pattern(100_000));
    const listed = await Array.fromAsync(c.store.list());
    assert.deepEqual(listed.map(({ size }) => size), [10, 0, 100_000]);
    assert.deepEqual(await c.store.stat(listed.map(({ key }) => key)), listed);
  },
  "lists in the order of keys if it says so": async (c) => {
    await putAll(c);
    const listed = await keys(c.store);
    assert.deepEqual(c.store.capability.ordered ? listed : listed.sort(), SORTED);
  },
  "lists below a prefix that may end anywhere": async (c) => {
    await putAll(c);
    for (
      const prefix of [
        "",
        "a",
        "a/",
        "a/0",
        "a/00",
        "a/00/",
        "a/00/x",
        "a/10/a",
        "a-",
        "c",
        "a/00/xx",
      ]
    ) {
      const want = SORTED.filter((key) => key.startsWith(prefix));
      assert.deepEqual((await keys(c.store, { prefix })).sort(), want, `prefix "${prefix}"`);
    }
  },
  "lists behind a key that may be missing": async (c) => {
    await putAll(c);
    for (
      const after of [
        ...SORTED,
        "",
        "0",
        "a/00/x-",
        "a/00/x/",
        "a/0",
        "a/1",
        "a/zz",
        "zz",
        "a-b/00/w",
      ]
    ) {
      const want = SORTED.filter((key) => key > after);
      assert.deepEqual((await keys(c.store, { after })).sort(), want, `after "${after}"`);
    }
  },
  "lists below a prefix and behind a key": async (c) => {
    await putAll(c);
    for (const prefix of ["a/", "a/00/", "a", "b"]) {
      for (const after of ["a-b/00/x", "a/00/x", "a/00/x_1", "a/10/0", "zz"]) {
        const want = SORTED.filter((key) => key.startsWith(prefix) && key > after);
        assert.deepEqual(
          (await keys(c.store, { prefix, after })).sort(),
          want,
          `${prefix} ${after}`,
        );
      }
    }
  },
  "lists in pages that fit together": async (c) => {
    await putAll(c);
    if (!c.store.capability.ordered) return;
    for (const page of [1, 2, 5]) {
      const seen: string[] = [];
      while (true) {
        const before = seen.length;
        for await (const { key } of c.store.list({ after: seen.at(-1) })) {
          seen.push(key);
          if (seen.length === before + page) break;
        }
        if (seen.length === before) break;
      }
      assert.deepEqual(seen, SORTED, `pages of ${page}`);
    }
  },
  "lists what stays exactly once while others come and go": async (c) => {
    const stay = Array.from({ length: 60 }, (_, i) => `data/${i % 2 ? "0a" : "c0"}/s${100 + i}`);
    for (const key of stay) await c.put(key, text(key));
    for (let i = 0; i < 10; i++) await c.put(`data/0a/g${i}`, text("goes"));
    const seen: string[] = [];
    for await (const { key } of c.store.list()) {
      seen.push(key);
      const i = seen.length;
      if (i <= 10) await c.store.delete([`data/0a/g${10 - i}`]);
      if (i % 7 === 0) await c.put(`data/${i % 2 ? "0a" : "ff"}/t${i}`, text("comes"));
    }
    assert.deepEqual(seen.filter((key) => /\/s\d+$/.test(key)).sort(), stay.sort());
    assert.equal(new Set(seen).size, seen.length, "nothing is listed twice");
  },
  "lists anew after a list that was left early": async (c) => {
    await putAll(c);
    for await (const { key } of c.store.list()) if (key) break;
    assert.equal((await keys(c.store)).length, SORTED.length);
  },
  "lists twice at once": async (c) => {
    await putAll(c);
    const [a, b] = await Promise.all([keys(c.store), keys(c.store, { prefix: "a/" })]);
    assert.equal(a.length, SORTED.length);
    assert.equal(b.length, SORTED.filter((key) => key.startsWith("a/")).length);
  },
  "stats many keys in the order asked, missing and double ones too": async (c) => {
    await c.put("data/00/a", pattern(1));
    await c.put("data/01/b", pattern(2));
    const asked = ["data/01/b", "data/00/no", "data/00/a", "data/01/b", "no/00/a"];
    const infos = await c.store.stat(asked);
    assert.deepEqual(infos.map((info) => info?.size), [2, undefined, 1, 2, undefined]);
    assert.deepEqual(infos.map((info) => info?.key), [
      asked[0],
      undefined,
      asked[2],
      asked[3],
      undefined,
    ]);
    assert.deepEqual(await c.store.stat([]), []);
  },
  "holds 150 small objects: put, stat, list, delete": async (c) => {
    const all = Array.from({ length: 150 }, (_, i) => `many/${i % 3}0/${1000 + i}`);
    for (let i = 0; i < all.length; i += 30) {
      await Promise.all(all.slice(i, i + 30).map((key) => c.put(key, text(key))));
    }
    assert.deepEqual((await c.store.stat(all)).map((info) => info?.key), all);
    assert.deepEqual((await keys(c.store)).sort(), all.toSorted());
    await c.store.delete(all.slice(1));
    assert.deepEqual(await keys(c.store), [all[0]]);
  },
};
