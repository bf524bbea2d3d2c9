/** Cases of the blob store suite: reading. */
import assert from "node:assert/strict";
import type { ByteRange } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf, EMPTY_DIGEST } from "../../core/digest.ts";
import { longOr } from "../helpers/long.ts";
import type { CaseContext, Cases } from "./blob_store.ts";
import { assertHolds, cutsOf, KIB, MIB, noise, read } from "./blob_store_asks.ts";
import { assertSame, rejectsKind, text } from "./object_store_asks.ts";

const SMALL = noise(1000, 11);
const CHUNKED = noise(400 * KIB + 3, 12);
const STREAMED = noise(2 * MIB + 99, 13);
/** Who read at the same time. */
const READERS = longOr(200, 50);

export const READ_CASES: Cases = {
  "answers undefined for what was never put": async (c) => {
    const never = digestOf(text("never"));
    assert.equal(await c.store.get(never), undefined);
    assert.equal(await c.store.get(never, { range: { start: 0, end: 1 } }), undefined);
    assert.equal(await c.store.get(never, { range: { start: 9, end: 10 } }), undefined);
    assert.deepEqual(await c.store.stat([never]), [undefined]);
  },
  "answers stat in the order asked, with gaps and twice": async (c) => {
    const [a, b] = [await c.put(SMALL), await c.put(CHUNKED)];
    const never = digestOf(text("never"));
    assert.deepEqual(await c.store.stat([]), []);
    assert.deepEqual(await c.store.stat([b, never, EMPTY_DIGEST, a, b]), [
      { digest: b, size: CHUNKED.length },
      undefined,
      { digest: EMPTY_DIGEST, size: 0 },
      { digest: a, size: SMALL.length },
      { digest: b, size: CHUNKED.length },
    ]);
  },
  "answers stat for hundreds": async (c) => {
    const all = Array.from({ length: 300 }, (_, n) => digestOf(text(`blob ${n}`)));
    for (let n = 0; n < 300; n += 30) await c.put(text(`blob ${n}`));
    const found = await c.store.stat(all);
    assert.deepEqual(found.map((ref) => ref !== undefined), all.map((_, n) => n % 30 === 0));
  },
  "reads any range of a small blob": async (c) => {
    await c.put(SMALL);
    const size = SMALL.length;
    await readsRanges(c, SMALL, [
      [0, 1],
      [0, size],
      [0, size + 1],
      [0, 2 ** 40],
      [1, 2],
      [size - 1, size],
      [size - 1, size + 100],
      [500, 501],
      [0, 0],
      [500, 500],
    ]);
  },
  "reads ranges around each cut of a chunked blob": async (c) => {
    await c.put(CHUNKED);
    const cuts = cutsOf(CHUNKED);
    assert.ok(cuts.length > 4, "it is chunked");
    const ranges = cuts.flatMap((cut): [number, number][] => [
      [cut - 1, cut],
      [cut, cut + 1],
      [cut - 1, cut + 1],
      [cut + 1, cut + 2],
    ]);
    const last = cuts.length - 1;
    ranges.push([cuts[1]!, cuts[2]!], [cuts[1]! + 1, cuts[last - 1]! - 1], [0, cuts[last]! + 9]);
    await readsRanges(
      c,
      CHUNKED,
      ranges.filter(([start, end]) => start >= 0 && start < CHUNKED.length && end >= start),
    );
  },
  "reads ranges above 1 MiB, which come as a stream": async (c) => {
    await c.put(STREAMED);
    const size = STREAMED.length;
    await readsRanges(c, STREAMED, [
      [0, MIB + 1],
      [1, size],
      [0, size - 1],
      [77_777, 77_777 + MIB + 1],
      [size - MIB - 1, size + 5],
      [size - 1, size],
      [size - MIB, size],
    ]);
  },
  "refuses a range that begins at or past the end": async (c) => {
    for (const bytes of [SMALL, CHUNKED]) {
      const digest = await c.put(bytes);
      for (const start of [bytes.length, bytes.length + 1, 2 ** 40]) {
        const range = { start, end: start + 10 };
        await rejectsKind(c.store.get(digest, { range }), "range_not_satisfiable");
      }
    }
    const range = { start: 0, end: 1 };
    await rejectsKind(c.store.get(EMPTY_DIGEST, { range }), "range_not_satisfiable");
  },
  "refuses what is no range": async (c) => {
    if (!c.knobs.strictRanges) return;
    for (const bytes of [SMALL, CHUNKED]) {
      const digest = await c.put(bytes);
      for (const [start, end] of [[5, 4], [-1, 4], [0.5, 4], [0, NaN], [0, Infinity]] as const) {
        await rejectsKind(c.store.get(digest, { range: { start, end } }), "invalid_argument");
      }
    }
  },
  "gives a download up unread, twice too": async (c) => {
    for (const bytes of [SMALL, CHUNKED, STREAMED]) {
      const body = (await c.store.get(await c.put(bytes)))!;
      await body.cancel();
      await body.cancel();
    }
    await assertHolds(c.store, STREAMED);
  },
  "lets a download be cancelled before its first byte": async (c) => {
    const body = (await c.store.get(await c.put(STREAMED)))!;
    await body.stream().cancel();
    await assertHolds(c.store, STREAMED);
  },
  "lets a download be cancelled half read": async (c) => {
    const body = (await c.store.get(await c.put(STREAMED)))!;
    const reader = body.stream().getReader();
    const { value } = await reader.read();
    assertSame(value, STREAMED.slice(0, value!.length), "the first part");
    await reader.cancel("enough");
    assert.ok((await reader.read()).done);
    await assertHolds(c.store, STREAMED);
  },
  "lets a download be cancelled while it is being read": async (c) => {
    const body = (await c.store.get(await c.put(STREAMED)))!;
    const reader = body.stream().getReader();
    await reader.read();
    const reading = reader.read();
    await reader.cancel("enough");
    await reading;
    await assertHolds(c.store, STREAMED);
  },
  "reads a body to its end though its blob is deleted meanwhile, or breaks": async (c) => {
    const digest = await c.put(STREAMED);
    const reader = (await c.store.get(digest))!.stream().getReader();
    const parts: Bytes[] = [(await reader.read()).value!];
    await c.store.delete([digest]);
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        parts.push(part.value);
      }
    } catch {
      return;
    }
    assert.equal(digestOf(new Uint8Array(await new Blob(parts).arrayBuffer())), digest);
  },
  "keeps its bytes from whoever changes what was handed out": async (c) => {
    for (const bytes of [SMALL, CHUNKED, STREAMED]) {
      const digest = await c.put(bytes);
      const body = (await c.store.get(digest))!;
      for await (const part of body.stream()) part.fill(0);
      body.bytes?.fill(0);
      assertSame(await read(c.store, digest), bytes, "the blob read again");
    }
  },
  [`gives ${READERS} readers at once what they asked for`]: async (c) => {
    const blobs = [SMALL, CHUNKED, noise(300 * KIB, 14), noise(MIB + 1, 15)];
    for (const bytes of blobs) await c.put(bytes);
    await Promise.all(Array.from({ length: READERS }, async (_, n) => {
      const bytes = blobs[n % 25 === 0 ? 3 : n % 3]!;
      assertSame(await read(c.store, digestOf(bytes)), bytes, `read ${n}`);
    }));
  },
};

async function readsRanges(
  c: CaseContext,
  bytes: Bytes,
  ranges: readonly (readonly [number, number])[],
): Promise<void> {
  const digest = digestOf(bytes);
  for (const [start, end] of ranges) {
    const range: ByteRange = { start, end };
    const body = await c.store.get(digest, { range });
    assert.equal(body?.total, bytes.length);
    await body?.cancel();
    assertSame(await read(c.store, digest, range), bytes.slice(start, end), `${start} to ${end}`);
  }
}
