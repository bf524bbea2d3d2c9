import assert from "node:assert/strict";
import fc from "fast-check";
import type { Bytes } from "../core/digest.ts";
import { Chunker, chunkStream } from "./chunk_stream.ts";
import type { ChunkerParams } from "./chunker.ts";

const SMALL: ChunkerParams = { min: 64, avg: 256, max: 1024, normalization: 2, seed: 7 };

function cut(bytes: Uint8Array, pieces: readonly number[]): Bytes[] {
  const chunker = new Chunker(SMALL);
  const chunks: Bytes[] = [];
  let at = 0;
  for (const piece of pieces) {
    chunks.push(...chunker.push(bytes.subarray(at, at + piece)));
    at += piece;
  }
  chunks.push(...chunker.push(bytes.subarray(at)), ...chunker.flush());
  return chunks;
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(chunks.flatMap((chunk) => [...chunk]));
}

function streamFrom(pieces: Bytes[], onCancel: (reason: unknown) => void = () => {}) {
  let next = 0;
  return new ReadableStream<Bytes>({
    pull(controller) {
      const piece = pieces[next++];
      if (piece) controller.enqueue(piece);
      else controller.close();
    },
    cancel: onCancel,
  }, { highWaterMark: 0 });
}

Deno.test("Chunker cuts the same however its input is split", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 8000, size: "max" }),
    fc.array(fc.integer({ min: 0, max: 2500 }), { maxLength: 30 }),
    (bytes, pieces) => {
      const whole = cut(bytes, []);
      assert.deepEqual(cut(bytes, pieces).map((c) => c.length), whole.map((c) => c.length));
      assert.deepEqual(join(cut(bytes, pieces)), join(whole));
      assert.deepEqual(join(whole), new Uint8Array(bytes));
    },
  ));
});

Deno.test("Chunker waits for the largest chunk where bytes have no cut, in small pieces too", () => {
  const zeros = new Uint8Array(5000);
  for (const piece of [1, 63, 512, 700, 1023, 1025]) {
    const pieces = Array.from({ length: Math.floor(zeros.length / piece) }, () => piece);
    const lengths = cut(zeros, pieces).map((chunk) => chunk.length);
    assert.deepEqual(lengths, [1024, 1024, 1024, 1024, 904]);
  }
});

Deno.test("Chunker returns chunks that own their memory and does not keep its input", () => {
  const bytes = crypto.getRandomValues(new Uint8Array(5000));
  const before = bytes.slice();
  const chunker = new Chunker(SMALL);
  const chunks = chunker.push(bytes);
  bytes.fill(0);
  chunks.push(...chunker.flush());
  assert.deepEqual(join(chunks), before);
  for (const chunk of chunks) {
    assert.equal(chunk.byteOffset, 0);
    assert.equal(chunk.buffer.byteLength, chunk.length);
  }
  assert.equal(new Set(chunks.map((chunk) => chunk.buffer)).size, chunks.length);
});

Deno.test("Chunker finds its old cuts again behind an insertion", () => {
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const longer = new Uint8Array(bytes.length + 3);
  longer.set(bytes, 3);
  const old = new Set(cut(bytes, []).map((chunk) => chunk.toHex()));
  const changed = cut(longer, []).filter((chunk) => !old.has(chunk.toHex()));
  assert.ok(changed.length <= 12, `${changed.length} chunks of ${old.size} changed`);
});

Deno.test("chunkStream() gives all chunks of a stream, none for an empty one", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(20_000));
  const pieces = [bytes.subarray(0, 9), bytes.subarray(9, 9), bytes.subarray(9)];
  const chunks = await Array.fromAsync(chunkStream(streamFrom(pieces), { chunker: SMALL }));
  assert.deepEqual(chunks, cut(bytes, []));
  assert.deepEqual(await Array.fromAsync(chunkStream(streamFrom([]))), []);
});

Deno.test("chunkStream() cancels its stream when the caller leaves", async () => {
  let cancelled = 0;
  const stream = streamFrom([new Uint8Array(4000), new Uint8Array(4000)], () => cancelled++);
  for await (const _chunk of chunkStream(stream, { chunker: SMALL })) break;
  assert.equal(cancelled, 1);
  assert.equal(stream.locked, false);
});

Deno.test("chunkStream() rejects with the signal's reason while it waits, and cancels", async () => {
  const controller = new AbortController();
  let reason: unknown;
  const stream = new ReadableStream<Bytes>({ cancel: (given) => void (reason = given) });
  const chunks = chunkStream(stream, { chunker: SMALL, signal: controller.signal });
  const next = chunks.next();
  const gone = new Error("gone");
  controller.abort(gone);
  await assert.rejects(next, gone);
  assert.equal(reason, gone);
});

Deno.test("chunkStream() passes on what the stream throws", async () => {
  const broken = new Error("broken");
  const stream = new ReadableStream<Bytes>({ pull: (controller) => controller.error(broken) });
  await assert.rejects(Array.fromAsync(chunkStream(stream)), broken);
});

Deno.test("a chunker that is given up begins anew, and its chunks are its caller's as before", () => {
  const chunker = new Chunker(SMALL);
  const bytes = new Uint8Array(5000).map((_, n) => n * 31 % 251);
  const before = chunker.push(bytes);
  const copies = before.map((chunk) => chunk.slice());
  assert.ok(before.length > 0);
  chunker.giveUp();
  assert.deepEqual(chunker.flush(), []);
  assert.deepEqual(before, copies);
  assert.deepEqual([...chunker.push(bytes), ...chunker.flush()], cut(bytes, []));
});
