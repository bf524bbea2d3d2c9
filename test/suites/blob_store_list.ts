/** Cases of the blob store suite: lists. */
import assert from "node:assert/strict";
import type { Digest } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import type { CaseContext, Cases } from "./blob_store.ts";
import { KIB, listed, noise } from "./blob_store_asks.ts";
import { rejectsWith, text } from "./object_store_asks.ts";

const AT_ONCE = 64;

export const LIST_CASES: Cases = {
  "lists nothing of an empty namespace": async (c) => {
    await c.other.put(undefined, c.source(text("elsewhere")));
    await c.put(new Uint8Array(0));
    assert.deepEqual(await listed(c.store), []);
  },
  "lists blobs in order of their digests, with their sizes": async (c) => {
    const digests = await putMany(c, 20);
    digests.push(await c.put(noise(400 * KIB)));
    digests.sort();
    const blobs = await listed(c.store);
    assert.deepEqual(blobs.map((blob) => blob.digest), digests);
    assert.deepEqual(blobs, await c.store.stat(digests));
  },
  "lists behind a digest, whether it is here or not": async (c) => {
    const digests = (await putMany(c, 20)).sort();
    for (const at of [0, 7, 19]) {
      const behind = (await listed(c.store, digests[at]!)).map((blob) => blob.digest);
      assert.deepEqual(behind, digests.slice(at + 1));
    }
    const gone = digests[7]!;
    await c.store.delete([gone]);
    const behind = (await listed(c.store, gone)).map((blob) => blob.digest);
    assert.deepEqual(behind, digests.slice(8));
    assert.equal((await listed(c.store)).length, 19);
  },
  "lists more than one page, each blob once": async (c) => {
    const digests = (await putMany(c, 2_001)).sort();
    assert.deepEqual((await listed(c.store)).map((blob) => blob.digest), digests);
    assert.deepEqual(
      (await listed(c.store, digests[999]!)).map((b) => b.digest).at(0),
      digests[1000],
    );
  },
  "lists on when its reader deletes what it saw": async (c) => {
    const digests = (await putMany(c, 30)).sort();
    const seen: Digest[] = [];
    for await (const { digest } of c.store.list()) {
      seen.push(digest);
      await c.store.delete([digest]);
    }
    assert.deepEqual(seen, digests);
    assert.deepEqual(await listed(c.store), []);
  },
  "ends a list that is aborted in the middle": async (c) => {
    await putMany(c, 10);
    const reason = new Error("the caller left");
    const abort = new AbortController();
    const seen: Digest[] = [];
    const list = async () => {
      for await (const { digest } of c.store.list({ signal: abort.signal })) {
        seen.push(digest);
        if (seen.length === 3) abort.abort(reason);
      }
    };
    await rejectsWith(list(), reason);
    assert.equal(seen.length, 3);
  },
  "deletes hundreds in one call": async (c) => {
    const digests = (await putMany(c, 1_500)).sort();
    await c.store.delete(digests.slice(1));
    assert.deepEqual((await listed(c.store)).map((blob) => blob.digest), [digests[0]]);
  },
};

async function putMany(c: CaseContext, count: number): Promise<Digest[]> {
  const digests: Digest[] = [];
  // Together, as clients do: one by one each would wait for the disk alone.
  for (let from = 0; from < count; from += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, n) => from + n);
    digests.push(...await Promise.all(numbers.map((n) => c.put(text(`blob ${n}`)))));
  }
  assert.equal(digests[0], digestOf(text("blob 0")));
  return digests;
}
