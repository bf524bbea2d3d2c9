import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { toHex } from "../core/digest.ts";
import {
  chunkIdOf,
  decodeStamp,
  encodeStamp,
  entryId,
  namespaceId,
  STAMP_BYTES,
  valueHash,
} from "./entry_id.ts";

const keys = { indexKey: new Uint8Array(32).fill(7) };
const hmac = (...parts: (string | Uint8Array)[]) => {
  const mac = createHmac("sha256", keys.indexKey);
  for (const part of parts) mac.update(part);
  return mac.digest("hex");
};

Deno.test("entryId() is the HMAC of the four parts, each behind its length", () => {
  const key = { namespace: "web", scope: "main", protocol: "nx", key: "ü" };
  const want = hmac("\x03\0\0\0web\x04\0\0\0main\x02\0\0\0nx\x02\0\0\0ü");
  assert.equal(toHex(entryId(keys, key)), want);
});

Deno.test("entryId() tells tuples apart that read the same when joined", () => {
  const base = { namespace: "a", scope: "b", protocol: "c", key: "d" };
  const ids = [
    base,
    { ...base, namespace: "ab", scope: "" },
    { ...base, scope: "bc", protocol: "" },
    { ...base, protocol: "cd", key: "" },
  ].map((key) => toHex(entryId(keys, key)));
  assert.equal(new Set(ids).size, 4);
});

Deno.test("namespaceId() and valueHash() are the HMACs that the format names", () => {
  assert.equal(toHex(namespaceId(keys, "web")), hmac("namespaceweb"));
  assert.equal(toHex(valueHash(keys, new Uint8Array([1, 2]))), hmac(new Uint8Array([1, 2])));
});

Deno.test("decodeStamp() undoes encodeStamp(), at any offset", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.stringMatching(/^[0-9a-f]{16}$/),
    fc.stringMatching(/^[0-9a-f]{64}$/),
    (epoch, hlc, device, hash) => {
      const stamp = { epoch, hlc, device, valueHash: hash };
      const bytes = encodeStamp(stamp);
      assert.equal(bytes.length, STAMP_BYTES);
      assert.deepEqual(decodeStamp(new Uint8Array([9, 9, 9, ...bytes]), 3), stamp);
    },
  ));
});

Deno.test("encodeStamp() refuses fields that do not fit", () => {
  const good = { epoch: 1, hlc: 1n, device: "00".repeat(8), valueHash: "00".repeat(32) };
  encodeStamp(good);
  for (
    const bad of [
      { epoch: -1 },
      { epoch: 2 ** 32 },
      { epoch: 0.5 },
      { hlc: -1n },
      { hlc: 2n ** 64n },
      { device: "00" },
      { valueHash: "00" },
    ]
  ) assert.throws(() => encodeStamp({ ...good, ...bad }), RangeError);
});

Deno.test("chunkIdOf() is the hash itself in a plain store", () => {
  const hash = new Uint8Array(32).fill(4);
  assert.deepEqual(chunkIdOf(hash), hash);
});
