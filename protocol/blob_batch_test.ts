import assert from "node:assert/strict";
import fc from "fast-check";
import { digestOf } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { decodeBlobs, encodeBlobs } from "./blob_batch.ts";

Deno.test("decodeBlobs() reads what encodeBlobs() made, and refuses it cut off anywhere", () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
  fc.assert(fc.property(bodies, fc.nat(), (parts, cut) => {
    const blobs = parts.map((part) => {
      const bytes = new Uint8Array(part);
      return { digest: digestOf(bytes), bytes };
    });
    const all = encodeBlobs(blobs);
    assert.deepEqual(decodeBlobs(all), blobs);
    const length = cut % (all.length + 1);
    // What ends between two blobs is a shorter batch; all else is none.
    const ends = blobs.map((_, n) => encodeBlobs(blobs.slice(0, n + 1)).length);
    if (length === 0 || ends.includes(length)) decodeBlobs(all.slice(0, length));
    else assert.throws(() => decodeBlobs(all.slice(0, length)), CacheError);
  }));
});
