import assert from "node:assert/strict";
import fc from "fast-check";
import type { Bytes } from "../core/digest.ts";
import { MAX_RECORD_BYTES } from "../core/limits.ts";
import { encodeHeader, RECORD_HEADER_BYTES } from "./record.ts";
import { scanRecords } from "./record_scan.ts";
import type { ScanEvent } from "./record_scan.ts";

function record(body: Bytes, id = 0): Bytes {
  const header = encodeHeader({
    kind: "chunk",
    id: new Uint8Array(32).fill(id),
    codec: 0,
    stored: body,
    rawLength: body.length,
  });
  return join([header, body]);
}

function join(parts: readonly Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function scan(bytes: Bytes, from = 0): ScanEvent[] {
  return [
    ...scanRecords((offset, length) => bytes.slice(offset, offset + length), from, bytes.length),
  ];
}

/** Short text of what a scan found. */
function outline(bytes: Bytes, from = 0): string[] {
  return scan(bytes, from).map((event) =>
    event.type === "record"
      ? `record ${event.offset}+${event.stored.length}`
      : `${event.type} ${event.offset}+${event.length}`
  );
}

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

Deno.test("scanRecords() finds all records and an empty tail", () => {
  const bytes = join([
    new Uint8Array(56),
    record(random(10)),
    record(random(0)),
    record(random(7)),
  ]);
  assert.deepEqual(outline(bytes, 56), [
    "record 56+10",
    "record 122+0",
    "record 178+7",
    "tail 241+0",
  ]);
  assert.deepEqual(outline(new Uint8Array(0)), ["tail 0+0"]);
});

Deno.test("scanRecords() calls a cut at any byte of the last record a tail", () => {
  const first = record(random(20));
  const bytes = join([first, record(random(30))]);
  for (let end = first.length; end < bytes.length; end++) {
    assert.deepEqual(outline(bytes.slice(0, end)), [
      `record 0+20`,
      `tail ${first.length}+${end - first.length}`,
    ]);
  }
});

Deno.test("scanRecords() calls any changed byte before a later good record damage", () => {
  const parts = [record(random(20)), record(random(30)), record(random(40))];
  const good = join(parts);
  const [one, two] = [parts[0]!.length, parts[1]!.length];
  for (let at = one; at < one + two; at++) {
    const bad = good.slice();
    bad[at] = bad[at]! ^ 0x10;
    assert.deepEqual(outline(bad), [
      "record 0+20",
      `damage ${one}+${two}`,
      `record ${one + two}+40`,
      `tail ${good.length}+0`,
    ]);
  }
});

Deno.test("scanRecords() finds the next record behind rubbish, also on a border of its window", () => {
  const window = 2 * 1024 * 1024;
  const last = record(random(5));
  for (const gap of [1, 3, 1000, window - 60, window - 57, window - 2, window - 1, window + 1]) {
    const first = record(random(1));
    const rubbish = new Uint8Array(gap).fill(0x89);
    assert.deepEqual(outline(join([first, rubbish, last])), [
      "record 0+1",
      `damage 57+${gap}`,
      `record ${57 + gap}+5`,
      `tail ${57 + gap + 61}+0`,
    ]);
  }
});

Deno.test("scanRecords() does not look for records inside a body whose header is whole", () => {
  const forged = join([random(9), record(random(8), 1), record(random(8), 2)]);
  const outer = record(forged);
  outer[RECORD_HEADER_BYTES] = outer[RECORD_HEADER_BYTES]! ^ 1;
  assert.deepEqual(outline(join([outer, record(random(3))])), [
    `damage 0+${outer.length}`,
    `record ${outer.length}+3`,
    `tail ${outer.length + 59}+0`,
  ]);
  assert.deepEqual(outline(outer), [`tail 0+${outer.length}`]);
});

Deno.test("scanRecords() reads a bounded window, and each byte about once when all is well", () => {
  const bytes = join(Array.from({ length: 150 }, () => record(random(60_000))));
  let read = 0;
  let largest = 0;
  const events = scanRecords(
    (offset, length) => {
      read += length;
      largest = Math.max(largest, length);
      return bytes.slice(offset, offset + length);
    },
    0,
    bytes.length,
  );
  assert.equal([...events].length, 151);
  assert.ok(largest <= MAX_RECORD_BYTES);
  assert.ok(read < bytes.length * 1.05, `${read} of ${bytes.length} bytes`);
});

Deno.test("scanRecords() stays quick when damage is full of false headers", () => {
  // Headers that are whole, each stating a large body that is not there.
  const header = record(new Uint8Array(900_000)).slice(0, RECORD_HEADER_BYTES);
  const falseHeaders = join(Array.from({ length: 20_000 }, () => header));
  const bytes = join([
    new Uint8Array([0]),
    falseHeaders,
    new Uint8Array(1_000_000),
    record(random(3)),
  ]);
  let read = 0;
  const events = [...scanRecords(
    (offset, length) => {
      read += length;
      return bytes.slice(offset, offset + length);
    },
    0,
    bytes.length,
  )];
  assert.equal(events.filter((event) => event.type === "record").length, 1);
  assert.ok(read < 50 * 1024 * 1024, `${read} bytes read`);
});

Deno.test("scanRecords() takes a medium that is shorter than it was said to be", () => {
  const bytes = record(random(10));
  const events = [...scanRecords((o, n) => bytes.slice(o, o + n), 0, 1000)];
  assert.deepEqual(events.map((event) => event.type), ["record", "tail"]);
});

Deno.test("scanRecords() covers every byte once, whatever is damaged", () => {
  fc.assert(fc.property(
    fc.array(fc.nat(200), { minLength: 1, maxLength: 8 }),
    fc.array(fc.tuple(fc.nat(5000), fc.integer({ min: 1, max: 255 })), { maxLength: 4 }),
    (sizes, flips) => {
      const bytes = join(sizes.map((size, i) => record(new Uint8Array(size).fill(i), i)));
      for (const [at, flip] of flips) bytes[at % bytes.length]! ^= flip;
      let at = 0;
      for (const event of scan(bytes)) {
        assert.equal(event.offset, at);
        at += event.type === "record" ? RECORD_HEADER_BYTES + event.stored.length : event.length;
      }
      assert.equal(at, bytes.length);
    },
  ));
});
