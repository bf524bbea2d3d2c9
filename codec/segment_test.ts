import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { isKind } from "../core/errors.ts";
import { assertObjectKey } from "../core/object_store.ts";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  newSegmentId,
  packKey,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from "./segment.ts";

const corrupt = (thrown: unknown) => isKind(thrown, "corrupt");
const NOW = 1_700_000_000_123;

Deno.test("decodeSegmentHeader() undoes encodeSegmentHeader()", () => {
  for (const kind of ["data", "log"] as const) {
    const header = { kind, id: newSegmentId(NOW), created: NOW, number: 2 ** 53 - 1 };
    const bytes = encodeSegmentHeader(header);
    assert.equal(bytes.length, SEGMENT_HEADER_BYTES);
    assert.deepEqual(decodeSegmentHeader(bytes), header);
  }
});

Deno.test("decodeSegmentHeader() refuses any changed byte and too few bytes", () => {
  const good = encodeSegmentHeader({ kind: "log", id: newSegmentId(NOW), created: NOW, number: 7 });
  for (let at = 0; at < good.length; at++) {
    const bad = good.slice();
    bad[at]! ^= 0x21;
    assert.throws(() => decodeSegmentHeader(bad), corrupt, `byte ${at}`);
    assert.throws(() => decodeSegmentHeader(good.subarray(0, at)), corrupt);
  }
});

Deno.test("decodeSegmentHeader() refuses fields out of range behind a right CRC", () => {
  const good = encodeSegmentHeader({
    kind: "data",
    id: newSegmentId(NOW),
    created: NOW,
    number: 7,
  });
  for (const at of [10, 11, 15, 39, 47, 48, 51]) {
    const bad = good.slice();
    bad[at] = 0xff;
    new DataView(bad.buffer).setUint32(52, crc32(bad.subarray(0, 52)), true);
    assert.throws(() => decodeSegmentHeader(bad), corrupt, `byte ${at}`);
  }
});

Deno.test("decodeSegmentHeader() says which version it reads when a newer one comes", () => {
  const bytes = encodeSegmentHeader({ kind: "data", id: newSegmentId(NOW), created: 0, number: 0 });
  bytes[8] = 2;
  new DataView(bytes.buffer).setUint32(52, crc32(bytes.subarray(0, 52)), true);
  assert.throws(() => decodeSegmentHeader(bytes), (thrown) => {
    assert.ok(isKind(thrown, "unsupported"));
    assert.equal(thrown.message, "Cannot read the segment: it has format 2, want 1");
    return true;
  });
});

Deno.test("newSegmentId() is a UUIDv7 whose order is that of time", () => {
  const a = newSegmentId(NOW);
  const b = newSegmentId(NOW + 1);
  assert.match(segmentName(a), /^018bcfe5687b7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  assert.ok(segmentName(a) < segmentName(b));
  assert.notDeepEqual(newSegmentId(NOW), a);
});

Deno.test("packKey() is an object key spread over the random end of the name", () => {
  const id = newSegmentId(NOW);
  const key = packKey({ kind: "log", id });
  assertObjectKey(key);
  const name = segmentName(id);
  assert.equal(key, `log/${name.slice(30)}/${name}`);
});
