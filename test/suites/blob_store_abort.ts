/** Cases of the blob store suite: giving up. Every call rejects with the signal's own reason. */
import assert from "node:assert/strict";
import { streamSource } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import type { CaseContext, Cases } from "./blob_store.ts";
import { assertHolds, assertMissing, inParts, listed, MIB, noise } from "./blob_store_asks.ts";
import { badSource, rejectsWith, text } from "./object_store_asks.ts";

const SMALL = text("object file");
const LARGE = noise(2 * MIB + 345, 31);
const REASON = new Error("the caller left");

export const ABORT_CASES: Cases = {
  "does nothing when the signal was aborted before": async (c) => {
    const digest = await c.put(SMALL);
    const signal = AbortSignal.abort(REASON);
    const source = badSource(LARGE, "never ends");
    await rejectsWith(c.store.get(digest, { signal }), REASON);
    await rejectsWith(c.store.put(digestOf(LARGE), source, { signal }), REASON);
    await rejectsWith(c.store.stat([digest], { signal }), REASON);
    await rejectsWith(c.store.delete([digest], { signal }), REASON);
    if (c.knobs.lists) await rejectsWith(Array.fromAsync(c.store.list({ signal })), REASON);
    assert.ok(!source.opened || source.cancelled, "the source is left open");
    await assertHolds(c.store, SMALL);
  },
  "stores nothing of a good source when the signal was aborted before": async (c) => {
    const signal = AbortSignal.abort(REASON);
    for (const bytes of [SMALL, LARGE]) {
      await rejectsWith(c.store.put(digestOf(bytes), c.source(bytes), { signal }), REASON);
      await assertMissing(c.store, bytes, c.knobs.lists);
    }
  },
  "gives up a put whose source hangs at its first byte": (c) => hangsAfter(c, 0),
  "gives up a put whose small source hangs in the middle": (c) => hangsAfter(c, 1000),
  "gives up a put whose large source hangs in the middle": (c) => hangsAfter(c, 2 * MIB),
  "gives up a put whose source hangs behind its last byte": (c) => hangsAfter(c, LARGE.length),
  "stores nothing when the abort comes while a good source is stored": async (c) => {
    if (!c.knobs.abortsToTheEnd) return;
    for (const bytes of [SMALL, LARGE]) {
      for (const digest of [digestOf(bytes), undefined]) {
        const abort = new AbortController();
        const put = c.store.put(digest, c.source(bytes), { signal: abort.signal });
        abort.abort(REASON);
        await rejectsWith(put, REASON);
        await assertMissing(c.store, bytes, c.knobs.lists);
      }
    }
  },
  "stores nothing when the abort comes with the last byte": async (c) => {
    if (!c.knobs.abortsToTheEnd) return;
    for (const bytes of [SMALL, LARGE]) {
      const abort = new AbortController();
      const stream = new ReadableStream<Bytes>({
        pull(controller) {
          controller.enqueue(bytes.slice());
          controller.close();
          abort.abort(REASON);
        },
      }, { highWaterMark: 0 });
      const source = streamSource(stream, bytes.length);
      await rejectsWith(c.store.put(digestOf(bytes), source, { signal: abort.signal }), REASON);
      await assertMissing(c.store, bytes, c.knobs.lists);
    }
  },
  "does not mind an abort after the end": async (c) => {
    const abort = new AbortController();
    const { signal } = abort;
    const digest = digestOf(LARGE);
    await c.store.put(digest, c.source(LARGE), { signal });
    const body = (await c.store.get(digest, { signal }))!;
    const parts = await Array.fromAsync(body.stream());
    abort.abort(REASON);
    assert.equal(parts.reduce((sum, part) => sum + part.length, 0), LARGE.length);
    await assertHolds(c.store, LARGE);
  },
  "breaks a stream that is aborted half read": async (c) => {
    const abort = new AbortController();
    const body = await c.store.get(await c.put(LARGE), { signal: abort.signal });
    const reader = body!.stream().getReader();
    assert.ok(!(await reader.read()).done);
    abort.abort(REASON);
    await rejectsWith(readOn(reader), REASON);
    await assertHolds(c.store, LARGE);
  },
  "breaks a stream that is aborted while it is being read": async (c) => {
    const abort = new AbortController();
    const body = await c.store.get(await c.put(LARGE), { signal: abort.signal });
    const reader = body!.stream().getReader();
    const reading = readOn(reader);
    abort.abort(REASON);
    await rejectsWith(reading, REASON);
    await assertHolds(c.store, LARGE);
  },
  "breaks a stream that is aborted before it was opened": async (c) => {
    const abort = new AbortController();
    const body = (await c.store.get(await c.put(LARGE), { signal: abort.signal }))!;
    abort.abort(REASON);
    await rejectsWith(readOn(body.stream().getReader()), REASON);
  },
  "keeps a blob of which a twin upload is aborted": async (c) => {
    const abort = new AbortController();
    const source = badSource(LARGE.slice(0, LARGE.length - 5), "hangs");
    const given = c.store.put(digestOf(LARGE), source, { signal: abort.signal });
    await Promise.race([source.atEnd, given]);
    const put = c.store.put(digestOf(LARGE), c.source(LARGE));
    abort.abort(REASON);
    await rejectsWith(given, REASON);
    await put;
    await assertHolds(c.store, LARGE);
  },
  "cancels 100 uploads and 100 downloads, and is as before": async (c) => {
    const digest = await c.put(LARGE);
    for (let n = 0; n < 100; n++) {
      const abort = new AbortController();
      const source = badSource(noise(5000, n + 100), "hangs");
      const put = c.other.put(digestOf(SMALL), source, { signal: abort.signal });
      await Promise.race([source.atEnd, put]);
      const body = (await c.store.get(digest, { signal: abort.signal }))!;
      const reader = body.stream().getReader();
      await reader.read();
      abort.abort(REASON);
      await rejectsWith(put, REASON);
      assert.ok(source.cancelled);
      await reader.cancel().catch(() => {});
    }
    if (c.knobs.lists) assert.deepEqual(await listed(c.other), []);
    await assertHolds(c.store, LARGE);
  },
};

async function hangsAfter(c: CaseContext, size: number): Promise<void> {
  const abort = new AbortController();
  const source = badSource(LARGE.slice(0, size), "hangs");
  const put = c.store.put(digestOf(LARGE), source, { signal: abort.signal });
  await Promise.race([source.atEnd, put]);
  abort.abort(REASON);
  await rejectsWith(put, REASON);
  assert.ok(source.cancelled, "the source is left open");
  await assertMissing(c.store, LARGE, c.knobs.lists);
  await c.store.put(digestOf(LARGE), streamSource(inParts(LARGE)));
  await assertHolds(c.store, LARGE);
}

async function readOn(reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
  while (!(await reader.read()).done);
}
