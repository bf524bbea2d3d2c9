/** Cases of the blob store suite: storing and removing. */
import assert from "node:assert/strict";
import { bytesSource, streamSource } from "../../core/bytes.ts";
import type { ByteSource } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf, EMPTY_DIGEST } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { CaseContext, Cases } from "./blob_store.ts";
import { assertHolds, assertMissing, inParts, KIB, MIB, noise } from "./blob_store_asks.ts";
import { badSource, rejectsKind, text } from "./object_store_asks.ts";

/** Sizes around each border: nothing, one chunk, what travels as one array. */
export const SIZES = [
  0,
  1,
  16 * KIB - 1,
  16 * KIB,
  16 * KIB + 1,
  256 * KIB - 1,
  256 * KIB,
  256 * KIB + 1,
  MIB - 1,
  MIB,
  MIB + 1,
  3 * MIB + 17,
];
const SMALL = text("object file");
const LARGE = noise(2 * MIB + 345, 7);
const GONE = new CacheError("cancelled", "Cannot read: the sender left");

export const WRITE_CASES: Cases = {
  ...Object.fromEntries(SIZES.map((size) => [
    `gives back ${size} bytes as they were put`,
    async (c: CaseContext) => {
      const bytes = noise(size, size + 1);
      await c.put(bytes);
      await assertHolds(c.store, bytes);
    },
  ])),
  "tells the digest that nobody knew": async (c) => {
    for (const bytes of [SMALL, noise(300 * KIB), LARGE]) {
      if (!c.knobs.digestlessStreams && !c.source(bytes).replayable && bytes.length > MIB) continue;
      const ref = await c.store.put(undefined, c.source(bytes));
      assert.deepEqual(ref, { digest: digestOf(bytes), size: bytes.length });
      await assertHolds(c.store, bytes);
    }
  },
  "has the empty blob always, and can not lose it": async (c) => {
    const empty = new Uint8Array(0);
    await assertHolds(c.store, empty);
    assert.deepEqual(await c.store.put(undefined, c.source(empty)), {
      digest: EMPTY_DIGEST,
      size: 0,
    });
    await c.store.delete([EMPTY_DIGEST]);
    await assertHolds(c.store, empty);
    await rejectsKind(c.store.put(EMPTY_DIGEST, c.source(SMALL)), "invalid_argument");
  },
  "refuses a small blob under another digest, and keeps nothing": async (c) => {
    await rejectsKind(c.store.put(digestOf(text("x")), c.source(SMALL)), "invalid_argument");
    await assertMissing(c.store, text("x"), c.knobs.lists);
    await assertMissing(c.store, SMALL, c.knobs.lists);
  },
  "refuses a large blob under another digest, and keeps nothing": async (c) => {
    await rejectsKind(c.store.put(digestOf(SMALL), c.source(LARGE)), "invalid_argument");
    await assertMissing(c.store, SMALL, c.knobs.lists);
    await assertMissing(c.store, LARGE, c.knobs.lists);
    if (c.subject.storedBytes) assert.equal(c.subject.storedBytes(), 0);
  },
  "stores after a refusal what is right": async (c) => {
    await rejectsKind(c.store.put(digestOf(SMALL), c.source(LARGE)), "invalid_argument");
    await c.put(SMALL);
    await c.put(LARGE);
    await assertHolds(c.store, SMALL);
    await assertHolds(c.store, LARGE);
  },
  "refuses a source that holds less than it said": (c) => refusesSizes(c, 1),
  "refuses a source that holds more than it said": (c) => refusesSizes(c, -1),
  "keeps nothing of a source that fails at its first byte": (c) => failsAfter(c, 0, GONE),
  "keeps nothing of a small source that fails in the middle": (c) => failsAfter(c, 5, GONE),
  "keeps nothing of a large source that fails in the middle": (c) => failsAfter(c, 2 * MIB, GONE),
  "keeps nothing of a source that fails behind its last byte": async (c) => {
    await failsAfter(c, SMALL.length, GONE, SMALL);
    await failsAfter(c, LARGE.length, GONE, LARGE);
  },
  "rejects when a source can not be opened": async (c) => {
    const source: ByteSource = {
      size: 11,
      replayable: false,
      open() {
        throw new CacheError("permission_denied", "Cannot open the file");
      },
    };
    await rejectsKind(c.store.put(digestOf(SMALL), source), "permission_denied");
    await assertMissing(c.store, SMALL, c.knobs.lists);
  },
  "takes the same blob twice, and leaves no stream open": async (c) => {
    for (const bytes of [SMALL, LARGE]) {
      await c.put(bytes);
      const source = c.source(bytes);
      const before = c.subject.storedBytes?.();
      assert.equal((await c.store.put(digestOf(bytes), source)).size, bytes.length);
      assert.equal(c.subject.storedBytes?.(), before);
      await assertHolds(c.store, bytes);
    }
  },
  "never keeps other bytes under a digest that is here": async (c) => {
    await c.put(LARGE);
    const put = c.store.put(digestOf(LARGE), c.source(LARGE.slice(1)));
    // Who has the blob may answer before he has read anything of a stream that tells no size.
    if (c.source(SMALL).size === undefined) await Promise.allSettled([put]);
    else await assert.rejects(put, CacheError);
    await assertHolds(c.store, LARGE);
    await assertMissing(c.store, LARGE.slice(1), c.knobs.lists);
  },
  "takes a blob again after it was deleted": async (c) => {
    for (const bytes of [SMALL, LARGE]) {
      await c.put(bytes);
      await c.store.delete([digestOf(bytes)]);
      await assertMissing(c.store, bytes, c.knobs.lists);
      await c.put(bytes);
      await assertHolds(c.store, bytes);
    }
  },
  "deletes what is here, and minds nothing that is not": async (c) => {
    await c.put(SMALL);
    await c.put(LARGE);
    await c.store.delete([]);
    await c.store.delete([digestOf(text("never")), digestOf(LARGE), digestOf(LARGE)]);
    await assertMissing(c.store, LARGE, c.knobs.lists);
    await assertHolds(c.store, SMALL);
  },
  "leaves the sender his memory": async (c) => {
    for (const size of [100, 256 * KIB, 700 * KIB]) {
      const bytes = noise(size, 3);
      const copy = bytes.slice();
      await c.put(bytes);
      assert.deepEqual([bytes.length, digestOf(bytes)], [copy.length, digestOf(copy)]);
      await c.other.put(digestOf(copy), c.source(bytes));
      await assertHolds(c.other, copy);
    }
  },
  "does not mind what a sender does to his memory afterwards": async (c) => {
    for (const size of [100, 700 * KIB]) {
      const bytes = noise(size, 4);
      const copy = bytes.slice();
      await c.store.put(digestOf(copy), c.source(bytes));
      bytes.fill(0);
      await assertHolds(c.store, copy);
    }
  },
  "takes parts of one byte, and parts that are small views of something large": async (c) => {
    const bytes = noise(3000, 5);
    await c.store.put(digestOf(bytes), streamSource(inParts(bytes, [1])));
    await assertHolds(c.store, bytes);
    const whole = noise(300 * KIB, 6);
    const views = new ReadableStream<Bytes>({
      start(controller) {
        for (let at = 0; at < whole.length; at += 5000) {
          controller.enqueue(whole.subarray(at, at + 5000));
        }
        controller.close();
      },
    });
    await c.store.put(digestOf(whole), streamSource(views));
    await assertHolds(c.store, whole);
  },
  "takes a stream of one huge part": async (c) => {
    const stream = inParts(LARGE, [LARGE.length]);
    await c.store.put(digestOf(LARGE), streamSource(stream, LARGE.length));
    await assertHolds(c.store, LARGE);
  },
  "takes the same blob from many at once": async (c) => {
    for (const bytes of [SMALL, LARGE]) {
      const digest = digestOf(bytes);
      const puts = Array.from({ length: 8 }, () => c.store.put(digest, c.source(bytes)));
      for (const ref of await Promise.all(puts)) assert.deepEqual(ref.size, bytes.length);
      await assertHolds(c.store, bytes);
    }
  },
  "keeps a blob whose twin fails beside it": async (c) => {
    const bad = badSource(LARGE.slice(0, 2 * MIB), { throws: GONE });
    const [good, failed] = await Promise.allSettled([
      c.store.put(digestOf(LARGE), c.source(LARGE)),
      c.other.put(digestOf(LARGE), bad),
    ]);
    assert.deepEqual([good.status, failed.status], ["fulfilled", "rejected"]);
    await assertHolds(c.store, LARGE);
    await assertMissing(c.other, LARGE, c.knobs.lists);
  },
};

/** A source that says `more` bytes more than it holds. */
async function refusesSizes(c: CaseContext, more: number): Promise<void> {
  for (const bytes of [SMALL, noise(256 * KIB), LARGE]) {
    const size = bytes.length + more;
    const forms: ByteSource[] = [
      streamSource(inParts(bytes), size),
      { size, replayable: true, open: () => inParts(bytes) },
    ];
    if (bytes === SMALL && c.knobs.sizedBytes) forms.push({ ...bytesSource(bytes), size });
    for (const source of forms) {
      // Over a wire the sender itself may notice, which makes it no better.
      await assert.rejects(c.store.put(digestOf(bytes), source), CacheError);
      await assertMissing(c.store, bytes, c.knobs.lists);
    }
  }
}

async function failsAfter(
  c: CaseContext,
  size: number,
  error: CacheError,
  bytes = LARGE,
): Promise<void> {
  for (const said of [undefined, bytes.length]) {
    const source = badSource(bytes.slice(0, size), { throws: error }, said);
    await assert.rejects(c.store.put(digestOf(bytes), source), CacheError);
    await assertMissing(c.store, bytes, c.knobs.lists);
  }
  if (c.subject.storedBytes) assert.equal(c.subject.storedBytes(), 0);
}
