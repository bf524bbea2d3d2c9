import assert from "node:assert/strict";
import type { Bytes } from "../core/digest.ts";
import {
  BODY_BLOCK_BYTES,
  BODY_VIEW_BYTES,
  EXACT_BODY_BYTES,
  SMALL_BODY_BYTES,
} from "../core/limits.ts";
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

function sum(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all + size, 0);
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

Deno.test("A body with a length is read to where it stays: one part, of memory of its own", async () => {
  const length = EXACT_BODY_BYTES;
  for (const sizes of [[length], [1, length - 1], [length / 2, 3, length / 2 - 3]]) {
    const views: number[] = [];
    const { sizes: got, right } = await collect(partReader(byteStream(sizes, views), length));
    assert.ok(right, "other bytes");
    assert.deepEqual(got, [length]);
    assert.deepEqual(views.slice(0, -1), sizes.map((_, n) => length - sum(sizes.slice(0, n))));
    assert.equal(views.at(-1), 1, "no memory to look for the end");
  }
  const look = await partReader(byteStream([length]), length).look();
  assert.ok(look !== "more" && look.value?.length === length, "a whole body needs one look");
});

Deno.test("A body that ends before its length, or goes on behind it, shows that to its reader", async () => {
  const length = EXACT_BODY_BYTES;
  const early = await collect(partReader(byteStream([100, 50]), length));
  assert.deepEqual(early, { sizes: [150], right: true });
  assert.deepEqual(await collect(partReader(byteStream([]), length)), { sizes: [], right: true });
  const long = await collect(partReader(byteStream([length, 2, 2]), length));
  assert.deepEqual(long, { sizes: [length, 1, 1], right: true });
});

Deno.test("A tiny body and a large one come in the parts that the stream makes", async () => {
  for (const length of [EXACT_BODY_BYTES - 1, SMALL_BODY_BYTES + 1]) {
    const parts = [new Uint8Array(7), new Uint8Array(length - 7)];
    let at = 0;
    const stream = new ReadableStream({
      type: "bytes",
      pull(controller) {
        const part = parts[at++];
        if (part) controller.enqueue(part);
        else controller.close();
      },
    }) as ReadableStream<Bytes>;
    assert.deepEqual((await collect(partReader(stream, length))).sizes, [7, length - 7]);
  }
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
