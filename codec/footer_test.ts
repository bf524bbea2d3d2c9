import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import type { Bytes } from "../core/digest.ts";
import { isKind } from "../core/errors.ts";
import {
  checkFooter,
  compareRows,
  decodeFooter,
  decodeTrailer,
  encodeFooter,
  FOOTER_ROW_BYTES,
  TRAILER_BYTES,
} from "./footer.ts";
import type { FooterRow } from "./footer.ts";

const corrupt = (thrown: unknown) => isKind(thrown, "corrupt");
const segmentId = new Uint8Array(16).fill(3);

/** A footer for records of these ids and lengths, one behind the other. */
function build(records: readonly (readonly [id: number, length: number])[], gap = 0) {
  let offset = 56;
  const rows = records.map(([id, length]): FooterRow => {
    const row = {
      kind: id % 2 ? "chunk" : "recipe",
      codec: 0,
      storedLength: length,
      rawLength: length,
      id: new Uint8Array(32).fill(id),
      offset,
    } as const;
    offset += 56 + length + gap;
    return row;
  });
  return { rows, recordsEnd: offset, bytes: encode(rows, offset) };
}

function encode(rows: FooterRow[], recordsEnd: number): Bytes {
  return encodeFooter({ kind: "data", segmentId, recordsEnd }, rows);
}

/** Rows of a footer; what it is refused for, `checkFooter` refuses as well, and nothing else. */
function decode(bytes: Bytes, recordsEnd: number): FooterRow[] {
  const trailer = decodeTrailer(bytes.subarray(-TRAILER_BYTES), recordsEnd + bytes.length);
  assert.deepEqual(trailer.segmentId, segmentId);
  assert.equal(trailer.recordsEnd, recordsEnd);
  const all = bytes.subarray(0, trailer.rowsBytes);
  let refused: unknown;
  try {
    checkFooter(all, trailer);
  } catch (thrown) {
    refused = thrown;
  }
  try {
    return decodeFooter(all, trailer);
  } catch (thrown) {
    assert.deepEqual(refused, thrown);
    refused = undefined;
    throw thrown;
  } finally {
    assert.equal(refused, undefined);
  }
}

/** Sets a byte and makes both CRCs right again. */
function reseal(bytes: Bytes, at: number, value: number): Bytes {
  const copy = bytes.slice();
  copy[at] = value;
  const trailer = copy.length - TRAILER_BYTES;
  const view = new DataView(copy.buffer);
  view.setUint32(trailer + 56, crc32(copy.subarray(0, trailer)), true);
  view.setUint32(trailer + 60, crc32(copy.subarray(trailer, trailer + 60)), true);
  return copy;
}

Deno.test("decodeFooter() gives the rows of encodeFooter(), sorted", () => {
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.nat(9), fc.nat(1000)), { maxLength: 20 }),
    fc.nat(3),
    (records, gap) => {
      const { rows, recordsEnd, bytes } = build(records, gap);
      assert.deepEqual(decode(bytes, recordsEnd), rows.toSorted(compareRows));
    },
  ));
});

Deno.test("a footer with any byte changed is corrupt", () => {
  const { recordsEnd, bytes } = build([[1, 5], [2, 6], [1, 7]]);
  for (let at = 0; at < bytes.length; at++) {
    const bad = bytes.slice();
    bad[at]! ^= 0x09;
    assert.throws(() => decode(bad, recordsEnd), corrupt, `byte ${at}`);
  }
});

Deno.test("a footer is corrupt when its pack has another size", () => {
  const { recordsEnd, bytes } = build([[1, 5]]);
  const trailer = bytes.subarray(-TRAILER_BYTES);
  for (const size of [recordsEnd + bytes.length + 1, recordsEnd + bytes.length - 1, 0]) {
    assert.throws(() => decodeTrailer(trailer, size), corrupt);
  }
  assert.throws(() => decodeTrailer(trailer.subarray(1), recordsEnd + bytes.length), corrupt);
});

Deno.test("decodeFooter() refuses rows out of range behind right CRCs", () => {
  const { recordsEnd, bytes } = build([[1, 5], [3, 6]]);
  const changes: [at: number, value: number][] = [
    [0, 0],
    [0, 9],
    [1, 2],
    [2, 1],
    [4, 200], // codec 0 with two lengths
    [7, 2], // longer than a record may be
    [44, 200], // behind its successor: overlaps
    [44, 10], // in the header
    [51, 1], // above 2^53
    [FOOTER_ROW_BYTES + 12, 0], // not sorted
    [FOOTER_ROW_BYTES + 44, 255], // reaches into the footer
  ];
  assert.equal(decode(reseal(bytes, 0, 1), recordsEnd).length, 2);
  for (const [at, value] of changes) {
    assert.throws(() => decode(reseal(bytes, at, value), recordsEnd), corrupt, `byte ${at}`);
  }
});

Deno.test("decodeFooter() refuses a row that stands there twice, and rows that overlap", () => {
  const { rows, recordsEnd } = build([[1, 5], [3, 6]]);
  assert.throws(() => decode(encode([rows[0]!, rows[0]!], recordsEnd), recordsEnd), corrupt);
  const close = { ...rows[1]!, offset: rows[0]!.offset + 60 };
  assert.throws(() => decode(encode([rows[0]!, close], recordsEnd), recordsEnd), corrupt);
});

Deno.test("decodeTrailer() refuses fields out of range and a newer format", () => {
  const { recordsEnd, bytes } = build([[1, 5]]);
  for (const at of [10, 11, 12, 16, 23, 40, 47, 48, 55]) {
    const bad = reseal(bytes, FOOTER_ROW_BYTES + at, 0xee);
    assert.throws(() => decode(bad, recordsEnd), corrupt, `byte ${at}`);
  }
  const newer = reseal(bytes, FOOTER_ROW_BYTES + 8, 2);
  assert.throws(() => decode(newer, recordsEnd), (thrown) => isKind(thrown, "unsupported"));
});
