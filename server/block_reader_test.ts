import assert from "node:assert/strict";
import type { Bytes } from "../core/digest.ts";
import { BODY_BLOCK_BYTES, BODY_VIEW_BYTES } from "../core/limits.ts";
import type { PartReader } from "./block_reader.ts";
import { partReader } from "./block_reader.ts";

/** A byte stream that fills each view with the next of `sizes` bytes at most, counting up. */
function byteStream(sizes: readonly number[], views: number[] = []): ReadableStream<Bytes> {
  let at = 0;
  let next = 0;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      const request = controller.byobRequest;
      const view = request?.view as Bytes | null;
      if (!request || !view) throw new Error("read without a view");
      views.push(view.length);
      const size = Math.min(sizes[at++] ?? 0, view.length);
      if (size === 0) {
        controller.close();
        return request.respond(0);
      }
      for (let i = 0; i < size; i++) view[i] = next++ & 255;
      request.respond(size);
    },
  }) as ReadableStream<Bytes>;
}

async function collect(reader: PartReader): Promise<{ sizes: number[]; right: boolean }> {
  const sizes: number[] = [];
  let next = 0;
  let right = true;
  for (;;) {
    const look = await reader.look();
    if (look === "more") continue;
    if (!look.value) return { sizes, right };
    sizes.push(look.value.length);
    for (const byte of look.value) right &&= byte === (next++ & 255);
  }
}

Deno.test("A body without a length is read in small views and handed on in blocks", async () => {
  const views: number[] = [];
  const sizes = Array.from({ length: 100 }, (_, n) => 1 + (n * 997) % BODY_VIEW_BYTES);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const { sizes: got, right } = await collect(partReader(byteStream(sizes, views), undefined));
  // A block may end inside what the sender meant as one part: then the part comes in two.
  assert.ok(right, "other bytes");
  assert.ok(got.slice(0, -1).every((size) => size === BODY_BLOCK_BYTES), String(got));
  assert.ok(got.reduce((sum, size) => sum + size, 0) <= total);
  assert.ok(got.length > 3, String(got));
  assert.ok(Math.max(...views) <= BODY_VIEW_BYTES, "a view as large as the usual ones");
});

Deno.test("The end of a body comes once and stays, and a short body holds no whole block", async () => {
  const reader = partReader(byteStream([5]), undefined);
  assert.equal(await reader.look(), "more");
  const look = await reader.look();
  assert.ok(look !== "more" && look.value);
  assert.deepEqual([...look.value], [0, 1, 2, 3, 4]);
  assert.equal(look.value.buffer.byteLength, 5);
  assert.deepEqual(await reader.look(), {});
  assert.deepEqual(await partReader(byteStream([]), undefined).look(), { value: undefined });
});

Deno.test("A body with a length, or of a stream with arrays of its own, comes as it is", async () => {
  const parts = () => ReadableStream.from([new Uint8Array([1, 2]), new Uint8Array([3])]);
  for (const length of [3, undefined]) {
    const reader = partReader(parts(), length);
    for (const value of [new Uint8Array([1, 2]), new Uint8Array([3]), undefined]) {
      const look = await reader.look();
      assert.ok(look !== "more");
      assert.deepEqual(look.value, value);
    }
  }
});

Deno.test("A cancelled body tells its stream why", async () => {
  const reasons: unknown[] = [];
  const stream = new ReadableStream({
    type: "bytes",
    cancel: (reason) => void reasons.push(reason),
  }) as ReadableStream<Bytes>;
  await partReader(stream, undefined).cancel("enough");
  assert.deepEqual(reasons, ["enough"]);
});
