/** Cases of the object store suite: writing and removing. */
import assert from "node:assert/strict";
import { bytesSource, streamSource } from "../../core/bytes.ts";
import type { Cases } from "./object_store.ts";
import {
  assertHolds,
  assertMissing,
  assertSame,
  badSource,
  keys,
  LARGE,
  pattern,
  read,
  rejectsKind,
  rejectsWith,
  text,
} from "./object_store_asks.ts";

const KEY = "data/ab/x";

/** Strings that are no object key; the last would be one but for its length. */
const HOSTILE_KEYS = [
  "",
  "/",
  "x",
  "data/x",
  "data/ab/",
  "data/ab",
  "data/ab/x/y",
  "data/AB/x",
  "data/abc/x",
  "data/ab/X",
  "../ab/x",
  "data/../x",
  "data/ab/..",
  "data/ab/.",
  "data/ab/.x",
  "data/ab/../../../etc/passwd",
  "/etc/ab/passwd",
  "data\\ab\\x",
  "data/ab/x\0",
  "data/ab/x\n",
  "data/ab/x y",
  "data/ab/ä",
  "data/ab/%2e%2e",
  "data/ab/-x",
  ".tmp/ab/x",
  `${"a".repeat(33)}/ab/x`,
  `data/ab/${"x".repeat(129)}`,
];

export const WRITE_CASES: Cases = {
  "tells key and size of what it stored, as stat does": async (c) => {
    const info = await c.store.put(KEY, await c.source(pattern(1234)));
    assert.equal(info.key, KEY);
    assert.equal(info.size, 1234);
    assert.deepEqual(await c.store.stat([KEY]), [info]);
  },
  "replaces an object by a larger, a smaller and an empty one": async (c) => {
    for (const [size, seed] of [[10, 1], [LARGE, 2], [5, 3], [0, 4], [7, 5]] as const) {
      await c.put(KEY, pattern(size, seed));
      await assertHolds(c.store, KEY, pattern(size, seed));
    }
    assert.deepEqual(await keys(c.store), [KEY]);
  },
  "stores the same bytes twice": async (c) => {
    const source = await c.source(pattern(5000));
    await c.store.put(KEY, source);
    await c.store.put(KEY, source.replayable ? source : await c.source(pattern(5000)));
    await assertHolds(c.store, KEY, pattern(5000));
  },
  "shares no memory with who writes": async (c) => {
    const bytes = pattern(1000);
    await c.put(KEY, bytes);
    bytes.fill(0);
    await assertHolds(c.store, KEY, pattern(1000));
  },
  "copies chunks that their source writes again": async (c) => {
    const chunk = new Uint8Array(1000);
    let turn = 0;
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        if (turn === 3) return controller.close();
        chunk.fill(++turn);
        controller.enqueue(chunk);
      },
    }, { highWaterMark: 0 });
    await c.store.put(KEY, streamSource(stream));
    const want = new Uint8Array(3000);
    for (let i = 0; i < 3; i++) want.fill(i + 1, i * 1000, i * 1000 + 1000);
    await assertHolds(c.store, KEY, want);
  },
  "keeps keys apart of which one begins with the other": async (c) => {
    await c.put("data/ab/x", text("1"));
    await c.put("data/ab/x.y", text("2"));
    await c.put("data/ab/x-y", text("3"));
    await c.put("data/ab/x.y.tmp", text("4"));
    assert.deepEqual(await read(c.store, "data/ab/x"), text("1"));
    assert.deepEqual(await read(c.store, "data/ab/x.y"), text("2"));
    assert.deepEqual(await read(c.store, "data/ab/x-y"), text("3"));
    assert.deepEqual(await read(c.store, "data/ab/x.y.tmp"), text("4"));
  },
  "takes the longest name and every letter of a key": async (c) => {
    const long = `abcdefghijk_-09/0f/${"0az._-".repeat(21)}zz`;
    await c.put(long, text("long"));
    assert.deepEqual(await read(c.store, long), text("long"));
    assert.deepEqual(await keys(c.store), [long]);
  },
  "refuses what is no key, in every call": async (c) => {
    for (const key of HOSTILE_KEYS) {
      const source = badSource(text("x"), "never ends");
      await rejectsKind((async () => await c.store.get(key))(), "invalid_argument");
      await rejectsKind((async () => await c.store.put(key, source))(), "invalid_argument");
      await rejectsKind((async () => await c.store.stat([KEY, key]))(), "invalid_argument");
      await rejectsKind((async () => await c.store.delete([KEY, key]))(), "invalid_argument");
      assert.ok(!source.opened || source.cancelled, "the source is left open");
    }
    assert.deepEqual(await keys(c.store), []);
  },
  "removes nothing when one key of a delete is no key": async (c) => {
    await c.put(KEY, text("stays"));
    await rejectsKind((async () => await c.store.delete([KEY, "../x"]))(), "invalid_argument");
    assert.deepEqual(await read(c.store, KEY), text("stays"));
  },
  "refuses a source with more bytes than it said, and keeps the old object": async (c) => {
    await c.put(KEY, text("old"));
    const source = badSource(pattern(101), "never ends", 100);
    await rejectsKind(c.store.put(KEY, source), "invalid_argument");
    assert.ok(source.cancelled);
    assert.deepEqual(await read(c.store, KEY), text("old"));
  },
  "refuses a source that goes on for ever when it said a size": async (c) => {
    const source = badSource(new Uint8Array(0), "never ends", 10_500);
    await rejectsKind(c.store.put(KEY, source), "invalid_argument");
    assert.ok(source.cancelled);
    await assertMissing(c.store, KEY);
  },
  "refuses a source with fewer bytes than it said, and keeps the old object": async (c) => {
    await c.put(KEY, text("old"));
    for (const size of [0, 99]) {
      const source = streamSource(new Response(pattern(size)).body!, 100);
      await rejectsKind(c.store.put(KEY, source), "invalid_argument");
      assert.deepEqual(await read(c.store, KEY), text("old"));
    }
  },
  "refuses one byte too many and one too few": async (c) => {
    for (const size of [LARGE - 1, LARGE + 1]) {
      const source = streamSource(new Response(pattern(LARGE)).body!, size);
      await rejectsKind(c.store.put(KEY, source), "invalid_argument");
      await assertMissing(c.store, KEY);
    }
  },
  "refuses bytes that are not as many as the source says": async (c) => {
    for (const size of [4, 6]) {
      const source = { ...bytesSource(text("hello")), size };
      await rejectsKind(c.store.put(KEY, source), "invalid_argument");
    }
    await assertMissing(c.store, KEY);
  },
  "refuses a size that is no size": async (c) => {
    for (const size of [-1, 0.5, NaN, Infinity]) {
      const source = badSource(text("x"), "never ends", size);
      await rejectsKind(c.store.put(KEY, source), "invalid_argument");
      assert.ok(!source.opened || source.cancelled);
    }
    await assertMissing(c.store, KEY);
  },
  "hands on what a source throws at its first byte": (c) => throwsAfter(c, 0),
  "hands on what a source throws in the middle": (c) => throwsAfter(c, 100_000),
  "hands on what a source throws behind its last byte": (c) => throwsAfter(c, 200_000),
  "hands on what a source throws when it is opened": async (c) => {
    const own = new Error("no such upload");
    const source = {
      size: 3,
      replayable: true,
      open() {
        throw own;
      },
    };
    await rejectsWith(c.store.put(KEY, source), own);
    await assertMissing(c.store, KEY);
  },
  "lets two puts of one key race: readers see one or the other whole": async (c) => {
    await c.put(KEY, pattern(LARGE, 0));
    const writes = [1, 2, 3].map((seed) => c.put(KEY, pattern(LARGE, seed)));
    const firstBytes = [0, 1, 2, 3].map((seed) => pattern(4, seed).join());
    for (let i = 0; i < 6; i++) {
      const bytes = (await read(c.store, KEY))!;
      const seed = firstBytes.indexOf(bytes.subarray(0, 4).join());
      assertSame(bytes, pattern(LARGE, seed), `what writer ${seed} stored`);
    }
    await Promise.all(writes);
    const bytes = (await read(c.store, KEY))!;
    const seed = firstBytes.indexOf(bytes.subarray(0, 4).join());
    assert.ok(seed > 0, "one of the three has won");
    assertSame(bytes, pattern(LARGE, seed), `what writer ${seed} stored`);
  },
  "stores many objects at once in one new folder": async (c) => {
    const names = Array.from({ length: 30 }, (_, i) => `new/00/n${i}`);
    await Promise.all(names.map((key, i) => c.put(key, pattern(100 + i, i))));
    for (const [i, key] of names.entries()) await assertHolds(c.store, key, pattern(100 + i, i));
  },
  "removes objects, and only these": async (c) => {
    for (const name of ["x", "y", "z"]) await c.put(`data/ab/${name}`, text(name));
    await c.store.delete(["data/ab/x", "data/ab/z"]);
    await assertMissing(c.store, "data/ab/x");
    await assertMissing(c.store, "data/ab/z");
    assert.deepEqual(await read(c.store, "data/ab/y"), text("y"));
  },
  "removes what is missing, twice the same, and nothing at all": async (c) => {
    await c.store.delete([]);
    await c.store.delete(["data/ab/x", "other/00/y"]);
    await c.put(KEY, text("x"));
    await c.store.delete([KEY, KEY, "data/ab/missing"]);
    await c.store.delete([KEY]);
    await assertMissing(c.store, KEY);
  },
  "stores again what was removed": async (c) => {
    await c.put(KEY, text("first"));
    await c.store.delete([KEY]);
    await c.put(KEY, text("second"));
    assert.deepEqual(await read(c.store, KEY), text("second"));
  },
  "can be disposed twice": async (c) => {
    await c.store[Symbol.asyncDispose]();
    await c.store[Symbol.asyncDispose]();
  },
};

async function throwsAfter(c: Parameters<Cases[string]>[0], count: number): Promise<void> {
  const own = new Error("the uploader left");
  for (const size of [200_000, undefined]) {
    await rejectsWith(c.store.put(KEY, badSource(pattern(count), { throws: own }, size)), own);
    await assertMissing(c.store, KEY);
  }
  await c.put(KEY, text("old"));
  await rejectsWith(c.store.put(KEY, badSource(pattern(count), { throws: own }, 200_000)), own);
  assert.deepEqual(await read(c.store, KEY), text("old"));
}
