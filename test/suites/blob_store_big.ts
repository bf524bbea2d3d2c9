/** Cases of the blob store suite: a blob that is never in memory whole. Run once, as a stream. */
import { createHash } from "node:crypto";
import assert from "node:assert/strict";
import { streamSource } from "../../core/bytes.ts";
import type { ByteStream } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestFromBytes } from "../../core/digest.ts";
import { UPLOAD_WINDOW_BYTES } from "../../core/limits.ts";
import type { Cases } from "./blob_store.ts";
import { MIB, noise, read } from "./blob_store_asks.ts";
import { assertSame } from "./object_store_asks.ts";

const PARTS = 64;
const BLOCK = noise(MIB, 41);

/** Part `n`: cheap to make, and like no other. */
function partOf(n: number): Bytes {
  const part = BLOCK.slice();
  const words = new Uint32Array(part.buffer);
  for (let i = 0; i < words.length; i += 1021) words[i] = n * 2_654_435_761 + i;
  return part;
}

export const BIG_CASES: Cases = {
  "takes and gives 64 MiB with a bounded number of bytes under way": async (c) => {
    const hash = createHash("sha256");
    for (let n = 0; n < PARTS; n++) hash.update(partOf(n));
    const digest = digestFromBytes(new Uint8Array(hash.digest()));
    const size = PARTS * MIB;

    assert.deepEqual(await c.store.put(digest, streamSource(bigStream(), size)), { digest, size });
    const most = c.subject.mostOutstanding?.() ?? 0;
    assert.ok(most <= UPLOAD_WINDOW_BYTES, `${most} bytes were under way`);

    const body = (await c.store.get(digest))!;
    assert.deepEqual([body.size, body.total], [size, size]);
    const got = createHash("sha256");
    let longest = 0;
    for await (const part of body.stream()) {
      longest = Math.max(longest, part.length);
      got.update(part);
    }
    assert.equal(digestFromBytes(new Uint8Array(got.digest())), digest);
    assert.ok(longest <= MIB, `a part of ${longest} bytes`);

    const start = 33 * MIB - 10;
    const want = new Uint8Array([...partOf(32).subarray(MIB - 10), ...partOf(33).subarray(0, 10)]);
    assertSame(await read(c.store, digest, { start, end: start + 20 }), want, "a range");
    await (await c.store.get(digest))!.stream().cancel();
  },
};

function bigStream(): ByteStream {
  let n = 0;
  return new ReadableStream<Bytes>({
    pull(controller) {
      if (n === PARTS) return controller.close();
      controller.enqueue(partOf(n++));
    },
  }, { highWaterMark: 0 });
}
