import assert from "node:assert/strict";
import { encode } from "cborg";
import fc from "fast-check";
import type { Bytes } from "../core/digest.ts";
import { digestOf, toHex } from "../core/digest.ts";
import type { EntryFacts } from "../core/entry.ts";
import { CacheError, isKind } from "../core/errors.ts";
import { MAX_CHUNK_BYTES } from "../core/limits.ts";
import { encodeClearPart } from "./clear_part.ts";
import { itemId, valueHash } from "./entry_id.ts";
import {
  decodeEntry,
  decodeTombstone,
  encodeEntry,
  encodeTombstone,
  itemIdOfRecord,
  readClearPart,
} from "./entry_record.ts";
import { noSeal } from "./seal.ts";
import type { Seal } from "./seal.ts";
import { decodeVisibility, encodeVisibility } from "./visibility_record.ts";

const context = { keys: { indexKey: new Uint8Array(32).fill(1) }, seal: noSeal };
const version = { epoch: 3, hlc: 2n ** 63n + 5n, device: "00112233445566ff" };
const corrupt = (thrown: unknown) => isKind(thrown, "corrupt");
const invalid = (thrown: unknown) => isKind(thrown, "invalid_argument");

const facts: EntryFacts = {
  namespace: "web",
  scope: "pr/12",
  protocol: "bazel-ac",
  key: "a/b ü",
  content: "action-result",
  blobs: [
    { digest: digestOf(new Uint8Array(1)), size: MAX_CHUNK_BYTES },
    { digest: digestOf(new Uint8Array(2)), size: MAX_CHUNK_BYTES + 1 },
    { digest: digestOf(new Uint8Array(0)), size: 0 },
  ],
  tags: ["release", "linux"],
  writer: "anne",
  created: 1_700_000_000_000,
  cost: 2 ** 40,
  inputs: { source: "abc" },
  headers: { "x-artifact-tag": "t" },
};

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const table = fc.dictionary(text, text, { maxKeys: 5, noNullPrototype: true });
const anyFacts: fc.Arbitrary<EntryFacts> = fc.record({
  namespace: fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,63}$/),
  scope: fc.constantFrom("main", "pr/1", "local/anne/x"),
  protocol: fc.stringMatching(/^[A-Za-z0-9-]{1,20}$/),
  key: text,
  content: fc.constantFrom("opaque", "action-result", "action-result-json", "tree"),
  blobs: fc.array(
    fc.record({
      digest: fc.uint8Array().map((bytes) => digestOf(bytes)),
      size: fc.maxSafeNat(),
    }, { noNullPrototype: true }),
    { maxLength: 6 },
  ),
  tags: fc.array(text, { maxLength: 5 }),
  writer: text,
  created: fc.maxSafeNat(),
  cost: fc.maxSafeNat(),
  inputs: table,
  headers: table,
}, { noNullPrototype: true }) as fc.Arbitrary<EntryFacts>;

const anyVersion = fc.record({
  epoch: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  hlc: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  device: fc.stringMatching(/^[0-9a-f]{16}$/),
});

/** A toy cipher with a tag over all, to see that the seal is used and the clear part bound. */
const toySeal: Seal = {
  seal(plain, aad) {
    const tag = digestOf(new Uint8Array([...plain, ...aad])).slice(7, 15);
    return new Uint8Array([...plain.map((byte) => byte ^ 0x5a), ...Uint8Array.fromHex(tag)]);
  },
  open(sealed, aad) {
    const plain = new Uint8Array(sealed.subarray(0, -4).map((byte) => byte ^ 0x5a));
    const tag = digestOf(new Uint8Array([...plain, ...aad])).slice(7, 15);
    if (tag === toHex(sealed.subarray(-4))) return plain;
    throw new CacheError("corrupt", "Cannot open the seal: it is broken");
  },
};

Deno.test("decodeEntry() undoes encodeEntry() for any facts and version", () => {
  fc.assert(fc.property(anyFacts, anyVersion, (given, at) => {
    for (const seal of [noSeal, toySeal]) {
      const { record, stamp, entryId } = encodeEntry(given, at, { ...context, seal });
      const decoded = decodeEntry(record.body, { ...context, seal });
      assert.deepEqual(decoded.facts, given);
      assert.deepEqual(decoded.stamp, stamp);
      assert.deepEqual(record.id, entryId);
      assert.deepEqual(decoded.entryId, entryId);
    }
  }));
});

Deno.test("encodeEntry() makes the same bytes however the facts are ordered", () => {
  const one = encodeEntry({ ...facts, inputs: { a: "1", bb: "2", b: "3" } }, version, context);
  const two = encodeEntry({ ...facts, inputs: { bb: "2", b: "3", a: "1" } }, version, context);
  assert.deepEqual(one.record.body, two.record.body);
});

Deno.test("an entry's clear part holds ids, sizes and stamp, and no name", () => {
  const { record, stamp } = encodeEntry(facts, version, { ...context, seal: toySeal });
  const part = readClearPart(record.body);
  assert.deepEqual(part.stamp, stamp);
  assert.equal(part.content, "action-result");
  assert.deepEqual(part.blobs.map((blob) => blob.kind), ["chunk", "recipe", "chunk"]);
  assert.deepEqual(part.blobs.map((blob) => blob.size), facts.blobs.map((blob) => blob.size));
  const bytes = new TextDecoder("latin1").decode(record.body);
  for (const name of ["web", "pr/12", "bazel-ac", "anne", "release", "source"]) {
    assert.ok(!bytes.includes(name), name);
  }
});

Deno.test("decodeEntry() refuses an entry with any byte changed that an HMAC covers", () => {
  const { record } = encodeEntry(facts, version, context);
  for (let at = 0; at < record.body.length; at++) {
    const bad = record.body.slice();
    bad[at]! ^= 0x0f;
    // Epoch, clock and device name the version alone, and sizes are the blobs' own: the CRC of the
    // record and, once there is one, the seal covers these.
    const row = (at - 92) % 41;
    const free = (at >= 4 && at < 24) || (at >= 92 && at < 92 + 3 * 41 && row >= 33);
    try {
      decodeEntry(bad, context);
      assert.ok(free, `byte ${at} was accepted`);
    } catch (thrown) {
      assert.ok(thrown instanceof CacheError, `byte ${at}: ${thrown}`);
      assert.ok(corrupt(thrown) || at === 0);
    }
    const sealed = encodeEntry(facts, version, { ...context, seal: toySeal }).record.body.slice();
    sealed[at]! ^= 0x0f;
    assert.throws(
      () => decodeEntry(sealed, { ...context, seal: toySeal }),
      CacheError,
      `byte ${at}`,
    );
  }
});

Deno.test("decodeEntry() refuses parts that do not belong together", () => {
  const body = encodeEntry(facts, version, context).record.body;
  const other = body.slice();
  other[2] = 1; // opaque, which is a kind too
  assert.throws(() => decodeEntry(other, context), corrupt);
  // One blob fewer and one more in the clear part; the sealed part is whole.
  const end = 92 + 3 * 41;
  const fewer = new Uint8Array([...body.subarray(0, end - 41), ...body.subarray(end)]);
  fewer[88] = 2;
  assert.throws(() => decodeEntry(fewer, context), corrupt);
  const more = new Uint8Array([
    ...body.subarray(0, end),
    ...body.subarray(end - 41, end),
    ...body.subarray(end),
  ]);
  more[88] = 4;
  assert.throws(() => decodeEntry(more, context), corrupt);
});

Deno.test("decodeTombstone() takes the one canonical form of its sealed part alone", () => {
  const { entryId, record } = encodeTombstone(facts, version, context);
  const withPlain = (plain: Bytes) => {
    const stamp = { ...version, valueHash: toHex(valueHash(context.keys, plain)) };
    const clear = encodeClearPart({
      kind: "tombstone",
      content: undefined,
      blobs: [],
      stamp,
      entryId,
    });
    return decodeTombstone(new Uint8Array([...clear, ...plain]), context);
  };
  const plain = record.body.slice(92);
  assert.deepEqual(withPlain(plain).entryId, entryId);
  const { namespace, scope, protocol, key } = facts;
  const refused: Record<string, Bytes> = {
    "keys in another order": encodeUnsorted({ namespace, scope, protocol, key }),
    "a key too many": new Uint8Array(encode({ namespace, scope, protocol, key, more: 1 })),
    "a key too few": new Uint8Array(encode({ namespace, scope, protocol })),
    "a number for a text": new Uint8Array(encode({ namespace, scope, protocol, key: 1 })),
    "a list": new Uint8Array(encode([namespace, scope, protocol, key])),
    "bytes behind the map": new Uint8Array([...plain, 0]),
    "text that is not UTF-8": new Uint8Array(plain.map((byte) => byte === 0xc3 ? 0xff : byte)),
    "a length in a longer form": new Uint8Array([0xb8, 4, ...plain.subarray(1)]),
    "nothing": new Uint8Array(0),
  };
  for (const [what, bytes] of Object.entries(refused)) {
    assert.throws(() => withPlain(bytes), corrupt, what);
  }
});

/** A map of short texts in the order given. */
function encodeUnsorted(texts: Record<string, string>): Bytes {
  const items = Object.entries(texts).flatMap((
    [name, value],
  ) => [...encode(name), ...encode(value)]);
  return new Uint8Array([0xa0 + Object.keys(texts).length, ...items]);
}

Deno.test("decodeEntry() refuses a cut body, other keys, and another kind of record", () => {
  const { record } = encodeEntry(facts, version, context);
  for (let end = 0; end < record.body.length; end++) {
    assert.throws(() => decodeEntry(record.body.slice(0, end), context), corrupt);
  }
  assert.throws(() => decodeEntry(new Uint8Array([...record.body, 0]), context), corrupt);
  const keys = { indexKey: new Uint8Array(32).fill(2) };
  assert.throws(() => decodeEntry(record.body, { ...context, keys }), corrupt);
  assert.throws(() => decodeTombstone(record.body, context), corrupt);
  const tombstone = encodeTombstone(facts, version, context).record.body;
  assert.throws(() => decodeEntry(tombstone, context), corrupt);
});

Deno.test("log records refuse a newer version by name", () => {
  const bodies: [Bytes, (body: Bytes) => unknown][] = [
    [encodeEntry(facts, version, context).record.body, (b) => decodeEntry(b, context)],
    [encodeTombstone(facts, version, context).record.body, (b) => decodeTombstone(b, context)],
    [
      encodeVisibility({ namespace: "web", linked: true, blobs: [] }, context).body,
      (b) => decodeVisibility(b, context),
    ],
  ];
  for (const [body, decode] of bodies) {
    body[0] = 2;
    assert.throws(() => decode(body), (thrown) => {
      assert.ok(isKind(thrown, "unsupported"));
      return thrown.message === "Cannot read a log record: it has version 2, want 1";
    });
  }
});

Deno.test("encodeEntry() refuses facts that no reader would take", () => {
  const refused: Partial<EntryFacts>[] = [
    { namespace: "Web" },
    { scope: "../x" },
    { protocol: "" },
    { key: "k".repeat(1025) },
    { key: "ü".repeat(513) },
    { key: "\ud800" },
    { tags: Array.from({ length: 65 }, () => "t") },
    { tags: ["t".repeat(257)] },
    { created: -1 },
    { cost: 0.5 },
    { writer: "\udfff" },
    { inputs: { "\ud800": "" } },
    { headers: { x: "\ud800" } },
  ];
  for (const change of refused) {
    const bad = { ...facts, ...change };
    assert.throws(() => encodeEntry(bad, version, context), invalid, JSON.stringify(change));
  }
  encodeEntry({ ...facts, key: "ü".repeat(512) }, version, context);
  const inputs = { big: "x".repeat(17 * 1024 * 1024) };
  assert.throws(
    () => encodeEntry({ ...facts, inputs }, version, context),
    (thrown) => isKind(thrown, "too_large"),
  );
});

Deno.test("records keep a header that is called __proto__", () => {
  const headers = JSON.parse('{"__proto__": "x"}') as Record<string, string>;
  const { record } = encodeEntry({ ...facts, headers }, version, context);
  const decoded = decodeEntry(record.body, context).facts.headers;
  assert.deepEqual(Object.entries(decoded), [["__proto__", "x"]]);
});

Deno.test("decodeTombstone() undoes encodeTombstone(), with the id of the entry", () => {
  const { record, stamp, entryId } = encodeTombstone(facts, version, context);
  const { namespace, scope, protocol, key } = facts;
  const want = { key: { namespace, scope, protocol, key }, stamp, entryId };
  assert.deepEqual(decodeTombstone(record.body, context), want);
  assert.deepEqual(entryId, encodeEntry(facts, version, context).entryId);
  for (let at = 0; at < record.body.length; at++) {
    if (at >= 4 && at < 24) continue;
    const bad = record.body.slice();
    bad[at]! ^= 0x0f;
    assert.throws(() => decodeTombstone(bad, context), CacheError, `byte ${at}`);
  }
});

Deno.test("decodeVisibility() undoes encodeVisibility() and refuses what does not fit", () => {
  for (const linked of [true, false]) {
    const record = encodeVisibility({ namespace: "web", linked, blobs: facts.blobs }, context);
    const decoded = decodeVisibility(record.body, context);
    assert.equal(decoded.namespace, "web");
    assert.equal(decoded.linked, linked);
    assert.deepEqual(decoded.namespaceId, record.id);
    assert.deepEqual(
      decoded.blobs.map((blob) => [`sha256-${toHex(blob.id)}`, blob.size]),
      facts.blobs.map((blob) => [blob.digest, blob.size]),
    );
    for (let end = 0; end < record.body.length; end++) {
      assert.throws(() => decodeVisibility(record.body.slice(0, end), context), corrupt);
    }
    for (const at of [1, 2, 3, 4, 35, 36, 39, 40, record.body.length - 1]) {
      const bad = record.body.slice();
      bad[at]! ^= 0x42;
      assert.throws(() => decodeVisibility(bad, context), corrupt, `byte ${at}`);
    }
  }
  assert.throws(
    () => encodeVisibility({ namespace: "..", linked: true, blobs: [] }, context),
    invalid,
  );
});

Deno.test("itemIdOfRecord() equals itemId() and changes with every part of the stamp", () => {
  const one = encodeEntry(facts, version, context);
  const id = itemId(context.keys, one.entryId, one.stamp);
  assert.equal(id.length, 16);
  assert.deepEqual(itemIdOfRecord(context.keys, one.record.body), id);
  const others = [
    { ...version, epoch: 4 },
    { ...version, hlc: 1n },
    { ...version, device: "00112233445566fe" },
  ].map((at) => encodeEntry(facts, at, context));
  others.push(encodeEntry({ ...facts, writer: "bert" }, version, context));
  const ids = [one, ...others].map((e) => toHex(itemIdOfRecord(context.keys, e.record.body)));
  assert.equal(new Set(ids).size, ids.length);
});
