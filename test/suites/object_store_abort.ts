/** Cases of the object store suite: giving up. Every call rejects with the signal's own reason. */
import assert from "node:assert/strict";
import type { Cases } from "./object_store.ts";
import {
  assertHolds,
  assertMissing,
  badSource,
  keys,
  LARGE,
  pattern,
  read,
  rejectsWith,
  text,
} from "./object_store_asks.ts";

const KEY = "data/ab/x";
const REASON = new Error("the caller left");

export const ABORT_CASES: Cases = {
  "does nothing when the signal was aborted before": async (c) => {
    await c.put(KEY, text("old"));
    const signal = AbortSignal.abort(REASON);
    const source = badSource(text("new"), "never ends");
    await rejectsWith(c.store.get(KEY, { signal }), REASON);
    await rejectsWith(c.store.put(KEY, source, { signal }), REASON);
    await rejectsWith(c.store.stat([KEY], { signal }), REASON);
    await rejectsWith(c.store.delete([KEY], { signal }), REASON);
    await rejectsWith(keys(c.store, { signal }), REASON);
    assert.ok(!source.opened || source.cancelled, "the source is left open");
    assert.deepEqual(await read(c.store, KEY), text("old"));
  },
  "stores nothing of bytes when the signal was aborted before": async (c) => {
    const signal = AbortSignal.abort(REASON);
    await rejectsWith(c.store.put(KEY, await c.source(text("new")), { signal }), REASON);
    await assertMissing(c.store, KEY);
  },
  "gives up a put whose source hangs at its first byte": async (c) => {
    const abort = new AbortController();
    const source = badSource(new Uint8Array(0), "hangs");
    const put = c.store.put(KEY, source, { signal: abort.signal });
    await Promise.race([source.atEnd, put]);
    abort.abort(REASON);
    await rejectsWith(put, REASON);
    assert.ok(source.cancelled);
    await assertMissing(c.store, KEY);
  },
  "gives up a put whose source hangs in the middle, and keeps the old object": async (c) => {
    await c.put(KEY, text("old"));
    const abort = new AbortController();
    const source = badSource(pattern(100_000), "hangs", 200_000);
    const put = c.store.put(KEY, source, { signal: abort.signal });
    await Promise.race([source.atEnd, put]);
    abort.abort(REASON);
    await rejectsWith(put, REASON);
    assert.ok(source.cancelled);
    assert.deepEqual(await read(c.store, KEY), text("old"));
  },
  "gives up a put whose source hangs behind its last byte": async (c) => {
    const abort = new AbortController();
    const source = badSource(pattern(1000), "hangs", 1000);
    const put = c.store.put(KEY, source, { signal: abort.signal });
    await Promise.race([source.atEnd, put]);
    abort.abort(REASON);
    await rejectsWith(put, REASON);
    await assertMissing(c.store, KEY);
  },
  "stores nothing when the abort comes while a good source is stored": async (c) => {
    await c.put(KEY, text("old"));
    const abort = new AbortController();
    const put = c.store.put(KEY, await c.source(pattern(1000)), { signal: abort.signal });
    abort.abort(REASON);
    await rejectsWith(put, REASON);
    assert.deepEqual(await read(c.store, KEY), text("old"));
  },
  "stores all or nothing when the abort comes with the last byte": async (c) => {
    const abort = new AbortController();
    const bytes = pattern(1000);
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        controller.enqueue(bytes);
        controller.close();
        abort.abort(REASON);
      },
    }, { highWaterMark: 0 });
    const source = { size: 1000, replayable: false, open: () => stream };
    await rejectsWith(c.store.put(KEY, source, { signal: abort.signal }), REASON);
    await assertMissing(c.store, KEY);
  },
  "breaks a stream that is aborted half read": async (c) => {
    await c.put(KEY, pattern(LARGE));
    const abort = new AbortController();
    const reader = (await c.store.get(KEY, { signal: abort.signal }))!.stream().getReader();
    assert.ok(!(await reader.read()).done);
    abort.abort(REASON);
    await rejectsWith(readOn(reader), REASON);
    await assertHolds(c.store, KEY, pattern(LARGE));
  },
  "breaks a stream that is aborted before it was opened": async (c) => {
    await c.put(KEY, pattern(LARGE));
    const abort = new AbortController();
    const body = (await c.store.get(KEY, { signal: abort.signal }))!;
    abort.abort(REASON);
    await rejectsWith(readOn(body.stream().getReader()), REASON);
  },
  "does not mind an abort after the end": async (c) => {
    const abort = new AbortController();
    const { signal } = abort;
    await c.store.put(KEY, await c.source(pattern(LARGE)), { signal });
    const body = (await c.store.get(KEY, { signal }))!;
    const parts = await Array.fromAsync(body.stream());
    abort.abort(REASON);
    assert.equal(parts.reduce((sum, part) => sum + part.length, 0), LARGE);
    await assertHolds(c.store, KEY, pattern(LARGE));
  },
  "ends a list that is aborted in the middle": async (c) => {
    for (let i = 0; i < 10; i++) await c.put(`data/0${i}/x`, text("x"));
    const abort = new AbortController();
    const seen: string[] = [];
    const list = async () => {
      for await (const { key } of c.store.list({ signal: abort.signal })) {
        seen.push(key);
        if (seen.length === 3) abort.abort(REASON);
      }
    };
    await rejectsWith(list(), REASON);
    assert.equal(seen.length, 3);
  },
};

async function readOn(reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
  while (!(await reader.read()).done);
}
