import assert from "node:assert/strict";
import { digestOf } from "../core/digest.ts";
import { isKind } from "../core/errors.ts";
import { encodeBlobs } from "../protocol/blob_batch.ts";
import { verifiedBatch } from "./verified_batch.ts";

const [one, two, three] = ["one", "two", "three"].map((text) => {
  const bytes = new TextEncoder().encode(text);
  return { digest: digestOf(bytes), bytes };
});
const refs = [one!, two!, three!].map(({ digest, bytes }) => ({ digest, size: bytes.length }));

function corrupt(work: () => unknown, words: RegExp): void {
  assert.throws(work, (thrown) => {
    assert.ok(isKind(thrown, "corrupt"), String(thrown));
    assert.match(thrown.message, words);
    return true;
  });
}

Deno.test("verifiedBatch() takes what was asked for, with what is missing left out", () => {
  assert.deepEqual(verifiedBatch(encodeBlobs([one!, three!]), refs), [one, three]);
  assert.deepEqual(verifiedBatch(encodeBlobs([]), refs), []);
});

Deno.test("a lying server: wrong bytes, foreign blobs, another order, a cut answer are refused", () => {
  const wrong = { digest: two!.digest, bytes: new TextEncoder().encode("TWO") };
  corrupt(() => verifiedBatch(encodeBlobs([one!, wrong]), refs), /other bytes/);
  const short = { digest: digestOf(new Uint8Array(0)), bytes: new Uint8Array(0) };
  corrupt(() => verifiedBatch(encodeBlobs([short]), refs), /nobody asked for/);
  corrupt(() => verifiedBatch(encodeBlobs([three!, one!]), refs), /nobody asked for/);
  corrupt(() => verifiedBatch(encodeBlobs([one!, one!]), refs), /nobody asked for/);
  const whole = encodeBlobs([one!, two!]);
  corrupt(() => verifiedBatch(whole.slice(0, -1), refs), /cut off/);
  new DataView(whole.buffer).setUint32(32, 0xffffffff, true);
  corrupt(() => verifiedBatch(whole, refs), /4294967295 bytes/);
});
