import assert from "node:assert/strict";
import fc from "fast-check";
import type { Bytes } from "../core/digest.ts";
import { isKind } from "../core/errors.ts";
import { MAX_RECORD_BYTES } from "../core/limits.ts";
import { KIND_NUMBER } from "../core/record.ts";
import type { RecordKind } from "../core/record.ts";
import {
  checkBody,
  decodeHeader,
  encodeHeader,
  isRecordAt,
  openBody,
  RECORD_HEADER_BYTES,
} from "./record.ts";
import type { ExpectedRecord, RecordCodec } from "./record.ts";
import { compress } from "./zstd.ts";

const kinds = fc.constantFrom(...Object.keys(KIND_NUMBER) as RecordKind[]);
const ids = fc.uint8Array({ minLength: 32, maxLength: 32 });

function frame(raw: Bytes, kind: RecordKind, codec: RecordCodec, id: Uint8Array): Bytes {
  const stored = codec === 0 ? raw : compress(raw);
  const header = encodeHeader({ kind, id, codec, stored, rawLength: raw.length });
  const all = new Uint8Array(header.length + stored.length);
  all.set(header);
  all.set(stored, header.length);
  return all;
}

Deno.test("decodeHeader() and openBody() undo encodeHeader(), at any offset", () => {
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 300 }),
    kinds,
    fc.constantFrom<RecordCodec>(0, 1),
    ids,
    fc.nat(20),
    (bytes, kind, codec, id, offset) => {
      const raw = new Uint8Array(bytes);
      const one = frame(raw, kind, codec, id);
      const all = new Uint8Array(offset + one.length + 3);
      all.set(one, offset);
      const header = decodeHeader(all, offset);
      assert.ok(header);
      assert.deepEqual([header.kind, header.codec, header.rawLength], [kind, codec, raw.length]);
      assert.deepEqual(header.id, new Uint8Array(id));
      const at = offset + RECORD_HEADER_BYTES;
      const stored = all.subarray(at, at + header.storedLength);
      assert.equal(checkBody(header, stored), true);
      assert.deepEqual(openBody(header, stored), raw);
    },
  ));
});

Deno.test("a record with any byte changed fails in its header or its body", () => {
  const raw = crypto.getRandomValues(new Uint8Array(40));
  const good = frame(raw, "chunk", 0, new Uint8Array(32).fill(9));
  for (let at = 0; at < good.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const bad = good.slice();
      bad[at] = bad[at]! ^ flip;
      const header = decodeHeader(bad);
      const passed = header && checkBody(header, bad.subarray(RECORD_HEADER_BYTES));
      assert.ok(!passed, `byte ${at} ^ ${flip}`);
      assert.equal(header === undefined, at < RECORD_HEADER_BYTES);
    }
  }
});

Deno.test("decodeHeader() refuses what is too short, too long or of no known kind", () => {
  const good = frame(new Uint8Array(4), "entry", 0, new Uint8Array(32));
  assert.equal(decodeHeader(good.subarray(0, RECORD_HEADER_BYTES - 1)), undefined);
  assert.equal(decodeHeader(good, 5), undefined);
  const reseal = (change: (view: DataView) => void) => {
    const bytes = good.slice(0, RECORD_HEADER_BYTES);
    const view = new DataView(bytes.buffer);
    change(view);
    view.setUint32(52, crc(bytes.subarray(0, 52)), true);
    return decodeHeader(bytes);
  };
  assert.ok(reseal(() => {}));
  assert.equal(reseal((view) => view.setUint8(4, 0)), undefined);
  assert.equal(reseal((view) => view.setUint8(4, 9)), undefined);
  assert.equal(reseal((view) => view.setUint8(5, 2)), undefined);
  assert.equal(reseal((view) => view.setUint8(6, 1)), undefined);
  assert.equal(reseal((view) => view.setUint32(12, 5, true)), undefined);
  const long = MAX_RECORD_BYTES + 1;
  assert.equal(
    reseal((view) => {
      view.setUint32(8, long, true);
      view.setUint32(12, long, true);
    }),
    undefined,
  );
});

Deno.test("openBody() says corrupt when a body decodes to another length", () => {
  const stored = compress(new Uint8Array(100));
  const header = { codec: 1, storedLength: stored.length, rawLength: 99 } as const;
  assert.throws(() => openBody(header, stored), (thrown) => isKind(thrown, "corrupt"));
  assert.throws(
    () => openBody({ ...header, rawLength: 101 }, stored),
    (thrown) => isKind(thrown, "corrupt"),
  );
  assert.throws(
    () => openBody({ ...header, rawLength: 100 }, stored.subarray(1)),
    (thrown) => isKind(thrown, "corrupt"),
  );
});

Deno.test("encodeHeader() refuses a record that no reader would take", () => {
  const stored = new Uint8Array(3);
  const record = { kind: "chunk", id: new Uint8Array(32), codec: 0, stored, rawLength: 3 } as const;
  assert.throws(() => encodeHeader({ ...record, rawLength: 4 }), RangeError);
  assert.throws(() => encodeHeader({ ...record, id: new Uint8Array(31) }), RangeError);
  assert.throws(
    () => encodeHeader({ ...record, codec: 1, rawLength: MAX_RECORD_BYTES + 1 }),
    RangeError,
  );
});

/** CRC-32 bit by bit: not the implementation under test. */
function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return (value ^ 0xffffffff) >>> 0;
}

Deno.test("isRecordAt() knows the expected record at any offset, and no other one", () => {
  const raw = crypto.getRandomValues(new Uint8Array(40));
  const id = crypto.getRandomValues(new Uint8Array(32));
  const whole = frame(raw, "chunk", 0, id);
  const expected: ExpectedRecord = { kind: "chunk", id, codec: 0, stored: 40, raw: 40 };
  for (const offset of [0, 1, 57]) {
    const all = new Uint8Array(offset + whole.length + 5);
    all.set(whole, offset);
    assert.equal(isRecordAt(all, offset, expected), true);
    assert.equal(isRecordAt(all.subarray(0, offset + whole.length), offset, expected), true);
    assert.equal(isRecordAt(all.subarray(0, offset + whole.length - 1), offset, expected), false);
    assert.equal(isRecordAt(all, offset + 1, expected), false);
    for (let at = 0; at < whole.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        all[offset + at]! ^= flip;
        assert.equal(isRecordAt(all, offset, expected), false, `byte ${at} ^ ${flip}`);
        all[offset + at]! ^= flip;
      }
    }
    const others: Partial<ExpectedRecord>[] = [
      { kind: "recipe" },
      { codec: 1 },
      { stored: 39 },
      { raw: 41 },
      { id: id.with(31, id[31]! ^ 1) },
      { id: id.with(0, id[0]! ^ 1) },
    ];
    for (const other of others) {
      assert.equal(isRecordAt(all, offset, { ...expected, ...other }), false);
    }
  }
});
