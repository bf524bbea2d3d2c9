import assert from "node:assert/strict";
import fc from "fast-check";
import { isKind } from "../core/errors.ts";
import { compress, decompress } from "./zstd.ts";
import { frameBytes, parseFrameHeader } from "./zstd_frame.ts";

const corrupt = (thrown: unknown) => isKind(thrown, "corrupt");
const tooLarge = (thrown: unknown) => isKind(thrown, "too_large");

Deno.test("decompress() undoes compress(), and both results own their memory", () => {
  // The highest level makes tables of many megabytes each time.
  for (const [level, numRuns] of [[1, 50], [3, 50], [19, 5]] as const) {
    const property = fc.property(fc.uint8Array({ maxLength: 3000 }), (raw) => {
      const bytes = compress(new Uint8Array(raw), level);
      const again = decompress(bytes, { rawLength: raw.length });
      assert.deepEqual(again, new Uint8Array(raw));
      for (const owned of [bytes, again]) assert.equal(owned.buffer.byteLength, owned.length);
    });
    fc.assert(property, { numRuns });
  }
});

Deno.test("decompress() refuses a frame cut off at any byte, and one with bytes behind it", () => {
  const bytes = compress(crypto.getRandomValues(new Uint8Array(500)));
  for (let end = 0; end < bytes.length; end++) {
    assert.throws(() => decompress(bytes.subarray(0, end), { limit: 1000 }), corrupt);
  }
  for (const extra of [new Uint8Array(1), bytes]) {
    const longer = new Uint8Array([...bytes, ...extra]);
    assert.throws(() => decompress(longer, { limit: 2000 }), corrupt);
  }
});

Deno.test("decompress() makes no more than it may: a bomb, an exact length, nothing at all", () => {
  const bomb = compress(new Uint8Array(50_000_000));
  assert.ok(bomb.length < 10_000);
  assert.throws(() => decompress(bomb, { limit: 1_000_000 }), tooLarge);
  assert.throws(() => decompress(bomb, { rawLength: 49_999_999 }), corrupt);
  assert.throws(() => decompress(bomb, { rawLength: 50_000_001 }), corrupt);
  assert.throws(() => decompress(compress(new Uint8Array(1)), { rawLength: 0 }), corrupt);
  assert.equal(decompress(compress(new Uint8Array(0)), { rawLength: 0 }).length, 0);
});

Deno.test("decompress() never throws anything but a CacheError", () => {
  const good = compress(new Uint8Array(2000).map((_, i) => i * i));
  fc.assert(fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
    const bad = good.slice();
    bad[at]! ^= flip;
    try {
      assert.equal(decompress(bad, { rawLength: 2000 }).length, 2000);
    } catch (thrown) {
      assert.ok(corrupt(thrown), String(thrown));
    }
  }));
});

Deno.test("parseFrameHeader() reads every form of RFC 8878", () => {
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  const parse = (...bytes: number[]) => parseFrameHeader(new Uint8Array([...magic, ...bytes]));
  const data = { type: "data", checksum: false, dictionaryId: 0 };
  assert.deepEqual(parse(0x20, 200), {
    ...data,
    headerBytes: 6,
    windowBytes: 200,
    contentBytes: 200,
  });
  assert.deepEqual(parse(0x00, 0x0b), {
    ...data,
    headerBytes: 6,
    windowBytes: 2048 + 3 * 256,
    contentBytes: undefined,
  });
  assert.deepEqual(parse(0x64, 1, 1), {
    ...data,
    checksum: true,
    headerBytes: 7,
    windowBytes: 513,
    contentBytes: 513,
  });
  assert.deepEqual(parse(0xe3, 4, 3, 2, 1, 0, 0, 0, 0, 1, 0, 0, 0), {
    ...data,
    dictionaryId: 0x01020304,
    headerBytes: 17,
    windowBytes: 2 ** 32,
    contentBytes: 2 ** 32,
  });
  assert.equal(parse(0x28, 200), "invalid");
  assert.equal(parse(0x60, 1), "more");
  assert.equal(parseFrameHeader(new Uint8Array([0x28, 0xb5])), "more");
  assert.equal(parseFrameHeader(new Uint8Array([0x5a, 0x2a])), "more");
  assert.equal(parseFrameHeader(new Uint8Array([0x28, 0xb6])), "invalid");
  const skippable = new Uint8Array([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3, 4]);
  assert.deepEqual(parseFrameHeader(skippable), {
    type: "skippable",
    headerBytes: 8,
    contentBytes: 3,
  });
  assert.equal(frameBytes(skippable), 11);
  assert.equal(frameBytes(skippable.subarray(0, 10)), undefined);
});

Deno.test("decompress() refuses a window that its length does not need, and a dictionary", () => {
  const raw = [0x01, 0, 0];
  const window = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, ...raw]);
  assert.throws(() => decompress(window, { limit: 1000 }), corrupt);
  const dictionary = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0x21, 5, 0, ...raw]);
  assert.throws(() => decompress(dictionary, { limit: 1000 }), corrupt);
});

Deno.test("compress() makes one whole frame of every length, also above the engine's 16 KiB steps", () => {
  let state = 7;
  for (const length of [0, 1, 16_000, 40_000, 65_536, 262_144, 1_000_000]) {
    // Half noise, half repetition: the result is long, and smaller than what went in.
    const bytes = new Uint8Array(length).map((_, n) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return n % 2 === 0 ? 65 : Math.floor(state / 65_536) % 256;
    });
    const packed = compress(bytes);
    assert.equal(packed.buffer.byteLength, packed.length);
    assert.deepEqual(decompress(packed, { rawLength: length }), bytes, `${length} bytes`);
  }
});
