/** Cases of the object store suite: reading. */
import assert from "node:assert/strict";
import type { CaseContext, Cases } from "./object_store.ts";
import {
  assertHolds,
  assertMissing,
  assertSame,
  LARGE,
  pattern,
  read,
  readBody,
  rejectsKind,
  text,
} from "./object_store_asks.ts";

const KEY = "data/ab/x";

/** Reads ranges of an object of `size` bytes and compares each with a slice. */
async function checkRanges(c: CaseContext, size: number, ranges: [number, number][]) {
  const bytes = pattern(size);
  await c.put(KEY, bytes);
  for (const [start, end] of ranges) {
    const body = await c.store.get(KEY, { range: { start, end } });
    assert.ok(body);
    assert.equal(body.total, size);
    assert.equal(body.size, Math.min(end, size) - start);
    assertSame(await readBody(body), bytes.slice(start, end), `bytes ${start} to ${end}`);
  }
}

export const READ_CASES: Cases = {
  "answers a miss with undefined": async (c) => {
    await assertMissing(c.store, KEY);
    await c.put("data/ab/y", text("other"));
    await assertMissing(c.store, KEY);
  },
  "answers a miss with undefined for a range as well": async (c) => {
    assert.equal(await c.store.get(KEY, { range: { start: 5, end: 9 } }), undefined);
  },
  "gives back a small object": async (c) => {
    await c.put(KEY, text("hello"));
    assert.deepEqual(await read(c.store, KEY), text("hello"));
  },
  "gives back a large object": async (c) => {
    await c.put(KEY, pattern(LARGE));
    await assertHolds(c.store, KEY, pattern(LARGE));
  },
  "gives back objects around the inline limit and the slice": async (c) => {
    for (const size of [65_535, 65_536, 65_537, 262_144, 262_145]) {
      await c.put(KEY, pattern(size, size));
      await assertHolds(c.store, KEY, pattern(size, size));
    }
  },
  "keeps an empty object apart from a missing one": async (c) => {
    await c.put(KEY, new Uint8Array(0));
    const body = await c.store.get(KEY);
    assert.equal(body?.size, 0);
    assert.equal(body.total, 0);
    assert.equal((await readBody(body)).length, 0);
    assert.equal((await c.store.stat([KEY]))[0]?.size, 0);
  },
  "says size and total of a body": async (c) => {
    await c.put(KEY, pattern(LARGE));
    const body = await c.store.get(KEY);
    assert.equal(body?.size, LARGE);
    assert.equal(body.total, LARGE);
    await body.cancel();
  },
  "opens the stream of a body that is here already, too": async (c) => {
    await c.put(KEY, text("hello"));
    const body = await c.store.get(KEY);
    assert.ok(body);
    const parts = await Array.fromAsync(body.stream());
    assert.equal(parts.map((part) => new TextDecoder().decode(part)).join(""), "hello");
  },
  "reads ranges of a small object: first, last, middle, cut end, empty": async (c) => {
    await checkRanges(c, 100, [[0, 1], [99, 100], [20, 60], [90, 1000], [5, 5], [0, 100], [0, 0]]);
  },
  "reads ranges of a large object across its slices": async (c) => {
    await checkRanges(c, LARGE, [
      [0, 1],
      [LARGE - 1, LARGE],
      [1, LARGE],
      [262_143, 262_145],
      [100_000, 500_000],
      [LARGE - 10, LARGE + 10],
      [300_000, 300_000],
    ]);
  },
  "refuses a range that starts at the end or behind it": async (c) => {
    await c.put(KEY, text("hello"));
    for (const [start, end] of [[5, 6], [5, 5], [6, 7], [2 ** 40, 2 ** 41]] as const) {
      await rejectsKind(c.store.get(KEY, { range: { start, end } }), "range_not_satisfiable");
    }
  },
  "takes only the empty range of an empty object": async (c) => {
    await c.put(KEY, new Uint8Array(0));
    assert.equal((await read(c.store, KEY, { start: 0, end: 0 }))?.length, 0);
    await rejectsKind(c.store.get(KEY, { range: { start: 0, end: 1 } }), "range_not_satisfiable");
  },
  "refuses what is no range": async (c) => {
    await c.put(KEY, text("hello"));
    for (const [start, end] of [[3, 2], [-1, 2], [0.5, 2], [NaN, 2]] as const) {
      await rejectsKind(c.store.get(KEY, { range: { start, end } }), "invalid_argument");
    }
  },
  "serves two readers of one object at once": async (c) => {
    await c.put(KEY, pattern(LARGE));
    const bodies = await Promise.all([c.store.get(KEY), c.store.get(KEY)]);
    const [a, b] = await Promise.all(bodies.map((body) => body && readBody(body)));
    assertSame(a, pattern(LARGE), "the first");
    assertSame(b, pattern(LARGE), "the second");
  },
  "closes a body that is cancelled unread, and again": async (c) => {
    await c.put(KEY, pattern(LARGE));
    for (let i = 0; i < 20; i++) {
      const body = await c.store.get(KEY);
      await body?.cancel();
      await body?.cancel();
    }
    await assertHolds(c.store, KEY, pattern(LARGE));
  },
  "closes a stream that is cancelled half read": async (c) => {
    await c.put(KEY, pattern(LARGE));
    for (let i = 0; i < 20; i++) {
      const reader = (await c.store.get(KEY))!.stream().getReader();
      assert.ok(!(await reader.read()).done);
      await reader.cancel("enough");
    }
    await assertHolds(c.store, KEY, pattern(LARGE));
  },
  "closes a stream that is cancelled before its first byte": async (c) => {
    await c.put(KEY, pattern(LARGE));
    await (await c.store.get(KEY))!.stream().cancel();
    await assertHolds(c.store, KEY, pattern(LARGE));
  },
  "lets a reader finish whose object is replaced": async (c) => {
    await c.put(KEY, pattern(LARGE, 1));
    const reader = (await c.store.get(KEY))!;
    await c.put(KEY, pattern(LARGE, 2));
    assertSame(await readBody(reader), pattern(LARGE, 1), "what was begun");
    await assertHolds(c.store, KEY, pattern(LARGE, 2));
  },
  "lets a reader finish whose object is removed": async (c) => {
    await c.put(KEY, pattern(LARGE));
    const stream = (await c.store.get(KEY))!.stream().getReader();
    let size = (await stream.read()).value!.length;
    await c.store.delete([KEY]);
    for (let item = await stream.read(); !item.done; item = await stream.read()) {
      size += item.value.length;
    }
    assert.equal(size, LARGE);
    await assertMissing(c.store, KEY);
  },
  "shares no memory with who reads": async (c) => {
    await c.put(KEY, text("hello"));
    (await read(c.store, KEY))!.fill(0);
    assert.deepEqual(await read(c.store, KEY), text("hello"));
    await c.put(KEY, pattern(LARGE));
    (await read(c.store, KEY))!.fill(0);
    const reader = (await c.store.get(KEY))!.stream().getReader();
    (await reader.read()).value!.fill(0);
    await reader.cancel();
    await assertHolds(c.store, KEY, pattern(LARGE));
  },
  "tells with pathOf where the bytes are, or nothing": async (c) => {
    await c.put(KEY, pattern(1000));
    const path = c.store.capability.pathOf(KEY);
    if (path !== undefined) assertSame(await Deno.readFile(path), pattern(1000), path);
  },
  "has a name": async (c) => {
    assert.ok(c.store.name.length > 0);
    await Promise.resolve();
  },
};
