import assert from "node:assert/strict";
import { hasUnwrittenSector } from "./torn_write.ts";

const find = (bytes: Uint8Array<ArrayBuffer>, offset = 0) =>
  hasUnwrittenSector((at, length) => bytes.slice(at, at + length), offset, bytes.length - offset);

Deno.test("a sector of zeros, or the rest of one, was never written", () => {
  const bytes = new Uint8Array(5000).fill(1);
  assert.equal(find(bytes), false);
  assert.equal(find(bytes.slice().fill(0, 1024, 1536)), true, "a whole one");
  assert.equal(
    find(bytes.slice().fill(0, 1000, 1024), 1000),
    true,
    "a record begins with no zeros",
  );
  assert.equal(find(bytes.slice().fill(0, 1000, 1024), 990), false, "too few to tell");
  assert.equal(find(bytes.slice().fill(0, 900, 1024), 900), true, "the rest of one");
  assert.equal(find(bytes.slice().fill(0, 4900, 5000)), false, "not from its beginning on");
  assert.equal(find(bytes.slice().fill(0, 1030, 1500)), false, "within one");
  assert.equal(find(bytes.slice().fill(0, 1100, 1900)), false, "parts of two");
});

Deno.test("a sector far behind in a large gap is found", () => {
  const bytes = new Uint8Array(3 * 1024 * 1024).fill(1);
  assert.equal(find(bytes), false);
  bytes.fill(0, 2 * 1024 * 1024, 2 * 1024 * 1024 + 512);
  assert.equal(find(bytes), true);
  assert.equal(find(bytes, 77), true);
});
