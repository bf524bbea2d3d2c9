import assert from "node:assert/strict";
import { bytesSource, streamSource } from "../../core/bytes.ts";
import type { ByteSource } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import { MAX_CHUNK_BYTES } from "../../core/limits.ts";
import { inParts, MIB, noise } from "../../test/suites/blob_store_asks.ts";
import { badSource, rejectsKind, rejectsWith } from "../../test/suites/object_store_asks.ts";
import { MemoryChunkStore } from "./memory_chunks.ts";
import { receive } from "./receive.ts";

const receiveInto = (port: MemoryChunkStore, source: ByteSource, signal?: AbortSignal) =>
  receive(source, { port, upload: "u", limit: 2 ** 30, signal });

Deno.test("receive() of one chunk needs no stream, no upload, and shares no memory", async () => {
  const port = new MemoryChunkStore();
  for (const size of [1, MAX_CHUNK_BYTES]) {
    const bytes = noise(size);
    const source: ByteSource = {
      ...bytesSource(bytes),
      open() {
        throw new Error("opened");
      },
    };
    const { blob, batch } = await receiveInto(port, source);
    assert.deepEqual(blob, { digest: digestOf(bytes), size });
    assert.deepEqual(Object.keys(batch), ["records"]);
    assert.notEqual(batch.records![0]!.body.buffer, bytes.buffer);
    assert.deepEqual(batch.records![0]!.body, bytes);
  }
  assert.deepEqual(port.names(), []);
});

Deno.test("receive() keeps bytes that are handed over, but no view of more", async () => {
  const port = new MemoryChunkStore();
  const bytes = noise(1000);
  const own = await receiveInto(port, { ...bytesSource(bytes), handsOver: true });
  assert.equal(own.batch.records![0]!.body, bytes);
  const view = await receiveInto(port, { ...bytesSource(bytes.subarray(1)), handsOver: true });
  assert.notEqual(view.batch.records![0]!.body.buffer, bytes.buffer);
});

Deno.test("receive() holds a small stream in memory of exactly its size", async () => {
  const port = new MemoryChunkStore();
  for (const size of [1, 20_000, MAX_CHUNK_BYTES - 1, MAX_CHUNK_BYTES]) {
    for (const said of [undefined, size]) {
      const bytes = noise(size);
      const { batch } = await receiveInto(port, streamSource(inParts(bytes, [1000]), said));
      const [record] = batch.records!;
      assert.deepEqual([record!.body.buffer.byteLength, batch.upload], [size, undefined]);
      assert.deepEqual(record!.body, bytes);
    }
  }
});

Deno.test("receive() of nothing needs no batch", async () => {
  const port = new MemoryChunkStore();
  assert.deepEqual((await receiveInto(port, bytesSource(new Uint8Array(0)))).batch, {});
  assert.deepEqual((await receiveInto(port, streamSource(inParts(noise(0))))).batch, {});
});

Deno.test("receive() says why an aborted source ended, not how it broke", async () => {
  const port = new MemoryChunkStore();
  const abort = new AbortController();
  const reason = new Error("the caller left");
  const bad = badSource(noise(3 * MIB), { throws: new TypeError("body broke") });
  const source = {
    size: undefined,
    replayable: false,
    open: () =>
      bad.open().pipeThrough(
        new TransformStream({
          transform(part, controller) {
            controller.enqueue(part);
            abort.abort(reason);
          },
        }),
      ),
  };
  await rejectsWith(receiveInto(port, source, abort.signal), reason);
  assert.deepEqual([port.leftovers(), port.names()], [[], []]);
});

Deno.test("receive() makes a CacheError of what a source throws", async () => {
  const port = new MemoryChunkStore();
  const bad = badSource(noise(3 * MIB), { throws: new TypeError("body broke") });
  await rejectsKind(receiveInto(port, bad), "internal");
  assert.deepEqual([port.leftovers(), port.names()], [[], []]);
});

/** Parts that say whether their memory went back. */
function watched(size: number, handsOver?: boolean) {
  const parts: Bytes[] = [];
  const bytes = noise(size);
  for (let at = 0; at < size; at += 60_000) parts.push(bytes.slice(at, at + 60_000));
  const source = {
    ...streamSource(ReadableStream.from(parts)),
    ...(handsOver ? { handsOver } : {}),
  };
  const gone = () => parts.filter((part) => part.length === 0).length;
  return { bytes, parts, source, gone };
}

Deno.test("receive() gives the memory of parts back where they are handed over, and only there", async () => {
  for (const size of [200_000, 3 * MIB]) {
    const kept = watched(size);
    const { blob } = await receiveInto(new MemoryChunkStore(), kept.source);
    assert.deepEqual([blob.digest, kept.gone()], [digestOf(kept.bytes), 0]);
    const given = watched(size, true);
    const received = await receiveInto(new MemoryChunkStore(), given.source);
    assert.equal(received.blob.digest, digestOf(given.bytes));
    assert.equal(given.gone(), given.parts.length);
  }
});
