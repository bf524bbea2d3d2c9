import assert from "node:assert/strict";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { collect, streamOf } from "../core/bytes.ts";
import type { ByteStream } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { isKind } from "../core/errors.ts";
import { compress, decompress } from "./zstd.ts";
import { decodeZstd, encodeZstd } from "./zstd_stream.ts";

const LIMIT = 100_000_000;
const damaged = (thrown: unknown) => isKind(thrown, "invalid_argument");
const tooLarge = (thrown: unknown) => isKind(thrown, "too_large");

function decode(bytes: Bytes, limit = LIMIT, slice = 65536): Promise<Bytes> {
  return collect(decodeZstd(streamOf(bytes, slice), { limit }), LIMIT);
}

function join(...parts: (Uint8Array | number[])[]): Bytes {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

function withChecksum(bytes: Uint8Array): Bytes {
  return new Uint8Array(
    zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  );
}

const raw = new Uint8Array(300_000).map((_, i) => (i * i) >>> 7);
const skippable = [0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5];
const emptySkippable = [0x5e, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];

Deno.test("decodeZstd() decodes all frames, however the input is split", async () => {
  const input = join(
    skippable,
    withChecksum(raw.subarray(0, 1000)),
    compress(new Uint8Array(0)),
    emptySkippable,
    compress(raw.subarray(1000, 1700)),
    skippable,
  );
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: input.length }), async (slice) => {
    assert.deepEqual(await decode(input, LIMIT, slice), raw.slice(0, 1700));
  }));
});

Deno.test("decodeZstd() undoes encodeZstd()", async () => {
  for (const size of [0, 1, 131_072, 300_000]) {
    const bytes = raw.slice(0, size);
    const encoded = await collect(encodeZstd(streamOf(bytes, 7_000)), LIMIT);
    assert.deepEqual(await decode(encoded), bytes);
    assert.deepEqual(decompress(encoded, { rawLength: size }), bytes);
  }
});

Deno.test("decodeZstd() refuses input cut off at any byte of its last frame", async () => {
  const first = compress(raw.subarray(0, 50));
  const all = join(first, withChecksum(raw.subarray(0, 60)));
  for (let end = 0; end < all.length; end++) {
    if (end === first.length) continue;
    await assert.rejects(decode(all.slice(0, end)), damaged, `cut at ${end}`);
  }
});

Deno.test("decodeZstd() refuses bytes behind the last frame", async () => {
  await assert.rejects(decode(join(compress(raw), [0])), damaged);
  await assert.rejects(decode(join(compress(raw), new Uint8Array(100))), damaged);
});

Deno.test("decodeZstd() notices a wrong checksum and names the kind it was asked for", async () => {
  const bad = withChecksum(raw);
  bad[bad.length - 2]! ^= 1;
  await assert.rejects(decode(bad), damaged);
  const own = decodeZstd(streamOf(bad), { limit: LIMIT, damage: "corrupt" });
  await assert.rejects(collect(own, LIMIT), (thrown) => isKind(thrown, "corrupt"));
});

Deno.test("decodeZstd() survives any changed byte: the right bytes or a CacheError", async () => {
  const good = withChecksum(raw.subarray(0, 3000));
  const want = raw.slice(0, 3000);
  for (let at = 0; at < good.length; at++) {
    const bad = good.slice();
    bad[at]! ^= 0x41;
    try {
      assert.deepEqual(await decode(bad), want);
    } catch (thrown) {
      assert.ok(damaged(thrown) || tooLarge(thrown), `byte ${at}: ${thrown}`);
    }
  }
});

Deno.test("decodeZstd() stops a bomb at its limit and cancels the source", async () => {
  const bomb = compress(new Uint8Array(200_000_000));
  let cancelled = 0;
  let given = 0;
  const source = new ReadableStream<Bytes>({
    pull(controller) {
      controller.enqueue(bomb.subarray(given, given += 100));
    },
    cancel: () => void cancelled++,
  }, { highWaterMark: 0 });
  await assert.rejects(collect(decodeZstd(source, { limit: 1_000_000 }), LIMIT), tooLarge);
  assert.equal(cancelled, 1);
  assert.ok(given < bomb.length / 2, `${given} of ${bomb.length} bytes read`);
});

Deno.test("decodeZstd() lets exactly the limit through", async () => {
  assert.equal((await decode(compress(raw), raw.length)).length, raw.length);
  await assert.rejects(decode(compress(raw), raw.length - 1), tooLarge);
  await assert.rejects(decode(join(compress(raw), compress(raw)), raw.length * 2 - 1), tooLarge);
});

Deno.test("decodeZstd() refuses a frame by what its header asks for", async () => {
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  const end = [0x01, 0, 0];
  await assert.rejects(decode(join(magic, [0x00, 0x70], end)), damaged); // 16 MiB window, unknown size
  await assert.rejects(decode(join(magic, [0x21, 9, 0], end)), damaged); // dictionary
  const stated = join(magic, [0xa0, 0, 0, 0, 0x40], end); // 1 GiB
  await assert.rejects(decode(stated, LIMIT), tooLarge);
  await assert.rejects(decode(stated, 2 ** 31), damaged);
  const lie = join(magic, [0x20, 9], end); // states 9 bytes, holds none
  await assert.rejects(decode(lie), damaged);
});

Deno.test("decodeZstd() hands out what it has before the input goes on", async () => {
  const { promise: rest, resolve } = Promise.withResolvers<void>();
  const parts = [compress(raw.subarray(0, 99)), compress(raw.subarray(99, 150))];
  const source = new ReadableStream<Bytes>({
    async pull(controller) {
      const part = parts.shift();
      if (parts.length === 0) await rest;
      if (part) controller.enqueue(part);
      else controller.close();
    },
  }, { highWaterMark: 0 });
  const reader = decodeZstd(source, { limit: LIMIT }).getReader();
  assert.equal((await reader.read()).value?.length, 99);
  resolve();
  assert.equal((await reader.read()).value?.length, 51);
  assert.equal((await reader.read()).done, true);
});

Deno.test("zstd streams cancel their source, also while they wait for it", async (t) => {
  const ways: Record<string, (source: ByteStream) => ByteStream> = {
    decodeZstd: (source) => decodeZstd(source, { limit: LIMIT }),
    encodeZstd: (source) => encodeZstd(source),
  };
  for (const [name, open] of Object.entries(ways)) {
    await t.step(name, async () => {
      let reason: unknown;
      const source = new ReadableStream<Bytes>({ cancel: (given) => void (reason = given) });
      const reader = open(source).getReader();
      const waiting = reader.read();
      await reader.cancel("enough");
      assert.equal((await waiting).done, true);
      assert.equal(reason, "enough");
      assert.equal(source.locked, false);
    });
  }
});

Deno.test("zstd streams pass on the reason of an abort and the error of their source", async () => {
  const controller = new AbortController();
  const gone = new Error("gone");
  const silent = new ReadableStream<Bytes>();
  const waiting = collect(
    decodeZstd(silent, { limit: LIMIT, signal: controller.signal }),
    LIMIT,
  );
  controller.abort(gone);
  await assert.rejects(waiting, gone);
  const broken = new ReadableStream<Bytes>({ pull: (c) => c.error(gone) }, { highWaterMark: 0 });
  await assert.rejects(collect(decodeZstd(broken, { limit: LIMIT }), LIMIT), gone);
  const broken2 = new ReadableStream<Bytes>({ pull: (c) => c.error(gone) }, { highWaterMark: 0 });
  await assert.rejects(collect(encodeZstd(broken2), LIMIT), gone);
});
