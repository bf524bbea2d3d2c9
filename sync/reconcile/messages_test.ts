/** Bytes of messages that must never change, and what is no message. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Bytes } from "../../core/digest.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { RECONCILE_MESSAGE_BYTES } from "../../core/limits.ts";
import { decode } from "./decode.ts";
import { encodeTo } from "./encode.ts";
import type { Answer, ChildDigests, Exactness, PeerState, ReconcileMessages } from "./messages.ts";

type Said = {
  [K in keyof ReconcileMessages]: { name: K; message: Parameters<ReconcileMessages[K]>[0] };
}[
  keyof ReconcileMessages
];

const NAMES = ["open", "state", "nodes", "leaf", "want", "list", "check"] as const;

function bytesOf({ name, message }: Said): Bytes {
  let bytes: Bytes | undefined;
  const says = encodeTo((sent) => bytes = sent);
  (says[name] as (message: unknown) => void)(message);
  assert.ok(bytes);
  return bytes;
}

function heard(bytes: Bytes): Said | undefined {
  let said: Said | undefined;
  const told = Object.fromEntries(
    NAMES.map((name) => [name, (message: unknown) => said = { name, message } as Said]),
  ) as unknown as ReconcileMessages;
  decode(bytes, told);
  return said;
}

const root = new Uint8Array(32).map((_, at) => at);
const state: PeerState = {
  indexId: "0123456789abcdef",
  epoch: 2,
  sequence: 300,
  count: 70_000,
  horizon: 0x0102030405060708n,
  root,
  seen: undefined,
};
const seen = { indexId: "fedcba9876543210", epoch: 1, sequence: 2 ** 40 };
const children = (width: number): ChildDigests =>
  Array.from(
    { length: 16 },
    (_, digit) => digit === 0 || digit === 9 ? new Uint8Array(width).fill(0xa0 + digit) : undefined,
  );
const group = (digests: Answer): Answer[] =>
  Array.from({ length: 16 }, (_, at) => at === 1 ? "tags" : at === 4 ? digests : "same");

const STATE = "000123456789abcdef020000002c0100000000000070110100000000000807060504030201" +
  root.toHex();
const GOLDEN: [string, Said, string][] = [
  [
    "OPEN",
    { name: "open", message: { namespace: "team", scope: "pr/7", state } },
    `0101${STATE}047465616d0470722f37`,
  ],
  [
    "STATE with a cursor",
    { name: "state", message: { state: { ...state, seen } } },
    `020101${STATE.slice(2)}fedcba9876543210010000000000000000010000`,
  ],
  [
    "NODES",
    { name: "nodes", message: { exactness: "short", groups: [group(children(8)), group("same")] } },
    "03010200" + "04020000" + "04000000" + "0102" + "a0".repeat(8) + "a9".repeat(8),
  ],
  [
    "NODES in full",
    { name: "nodes", message: { exactness: "full", groups: [group(children(32))] } },
    "03020100" + "04020000" + "0102" + "a0".repeat(32) + "a9".repeat(32),
  ],
  [
    "LEAF",
    {
      name: "leaf",
      message: { exactness: "short", leaves: [["010203040506", "ffffffffffff"], []] },
    },
    "04010200" + "02" + "010203040506" + "ffffffffffff" + "00",
  ],
  [
    "WANT",
    {
      name: "want",
      message: {
        exactness: "short",
        wanted: [true, false, true, false, false, false, false, false, true],
      },
    },
    "05010900" + "0501",
  ],
  [
    "LIST",
    {
      name: "list",
      message: { exactness: "short", last: true, tags: ["000000000000", "00000000012c"] },
    },
    "0601010200" + "01" + "ac02",
  ],
  [
    "LIST in full",
    { name: "list", message: { exactness: "list", last: false, tags: ["0f".repeat(16)] } },
    "0603000100" + "0f".repeat(16),
  ],
  [
    "CHECK",
    { name: "check", message: { exactness: "cursor", changed: true, count: 258, root } },
    "070001" + "0201000000000000" + root.toHex(),
  ],
];

for (const [name, said, hex] of GOLDEN) {
  Deno.test(`reconcile messages: ${name} is these bytes and no others`, () => {
    assert.equal(bytesOf(said).toHex(), hex);
    assert.deepEqual(heard(Uint8Array.fromHex(hex)), said);
    for (let cut = 0; cut < hex.length / 2; cut++) {
      assert.throws(() => heard(Uint8Array.fromHex(hex.slice(0, 2 * cut))), CacheError);
    }
    assert.throws(() => heard(Uint8Array.fromHex(hex + "00")), CacheError);
  });
}

const REFUSED: [string, string][] = [
  ["no such message", "08"],
  ["another version", `0102${STATE}047465616d0470722f37`],
  ["unknown flags", `020102${STATE.slice(2)}`],
  ["a count above the limit", `0201${STATE.replace("7011010000000000", "00ca9a3b00000001")}`],
  [
    "a sequence that is no safe integer",
    `0201${STATE.replace("2c01000000000000", "2c01000000002000")}`,
  ],
  ["a namespace that is none", `0101${STATE}045465616d0470722f37`],
  ["a scope that is none", `0101${STATE}047465616d042f722f37`],
  ["a namespace in other bytes than ASCII", `0101${STATE}047465e46d0470722f37`],
  ["no exactness", "0504" + "0100" + "01"],
  ["the exactness of a cursor where things are compared", "0500" + "0100" + "01"],
  ["no groups", "03010000"],
  ["an answer that is none of three", "03010100" + "03000000"],
  ["promised digests that are none", "03010100" + "02000000" + "0000"],
  ["no leaves", "04010000"],
  [
    "too many tags",
    "04010100" + "29" +
    Array.from({ length: 41 }, (_, at) => at.toString(16).padStart(12, "0")).join(""),
  ],
  ["tags out of order", "04010100" + "02" + "010203040507" + "010203040506"],
  ["a tag that comes twice", "04010100" + "02" + "010203040506" + "010203040506"],
  ["no bits", "05010000"],
  ["bits that stand for nothing", "05010100" + "03"],
  ["an empty list that goes on", "0601000000"],
  ["a distance of zero", "0601010200" + "05" + "00"],
  ["a number in a longer form than need be", "0601010100" + "8500"],
  ["a tag of more than 48 bits", "0601010100" + "ffffffffffffff7f"],
  ["tags whose sum has more than 48 bits", "0601010200" + "ffffffffffff3f" + "ffffffffffff3f"],
];

for (const [name, hex] of REFUSED) {
  Deno.test(`reconcile messages: ${name} is refused`, () => {
    assert.throws(
      () => heard(Uint8Array.fromHex(hex)),
      (error) => isKind(error, "invalid_argument") || isKind(error, "unsupported"),
    );
  });
}

Deno.test("reconcile messages: one that is too long is refused", () => {
  assert.throws(
    () => heard(new Uint8Array(RECONCILE_MESSAGE_BYTES + 1)),
    (error) => isKind(error, "invalid_argument"),
  );
});

Deno.test("reconcile messages: random bytes are refused or read, and what is read is written the same", () => {
  const random = fc.tuple(fc.integer({ min: 1, max: 7 }), fc.uint8Array({ maxLength: 200 }))
    .map(([number, rest]) => new Uint8Array([number, ...rest]));
  const bent = fc.tuple(fc.constantFrom(...GOLDEN), fc.nat(), fc.nat(255)).map(
    ([it, at, value]) => {
      const bytes = Uint8Array.fromHex(it[2]);
      bytes[at % bytes.length] = value;
      return bytes;
    },
  );
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(random, bent), (bytes) => {
      let said: Said | undefined;
      try {
        said = heard(bytes);
      } catch (error) {
        assert.ok(error instanceof CacheError, String(error));
        return;
      }
      read++;
      assert.equal(bytesOf(said!).toHex(), bytes.toHex());
    }),
    { numRuns: 3000 },
  );
  assert.ok(read > 100, `${read} were read`);
});

Deno.test("reconcile messages: any message comes through as it was", () => {
  const tag = (width: number) =>
    fc.uint8Array({ minLength: width, maxLength: width }).map((bytes) => bytes.toHex());
  const tags = (exactness: Exactness, maxLength: number) =>
    fc.uniqueArray(tag(exactness === "short" ? 6 : 16), { maxLength }).map((all) => all.sort());
  const digests = (exactness: Exactness) => {
    const width = exactness === "short" ? 8 : 32;
    const one = fc.option(fc.uint8Array({ minLength: width, maxLength: width }), {
      nil: undefined,
    });
    return fc.array(one, { minLength: 16, maxLength: 16 })
      .filter((all) => all.some((child) => child !== undefined));
  };
  const said = fc.constantFrom<Exactness>("short", "full", "list").chain((exactness) =>
    fc.oneof(
      fc.array(
        fc.array(fc.oneof(fc.constantFrom("same", "tags"), digests(exactness)), {
          minLength: 16,
          maxLength: 16,
        }),
        { minLength: 1, maxLength: 4 },
      ).map((groups) => ({ name: "nodes", message: { exactness, groups } })),
      fc.array(tags(exactness, 40), { minLength: 1, maxLength: 5 })
        .map((leaves) => ({ name: "leaf", message: { exactness, leaves } })),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 50 })
        .map((wanted) => ({ name: "want", message: { exactness, wanted } })),
      tags(exactness, 60).map((all) => ({
        name: "list",
        message: { exactness, last: true, tags: all },
      })),
    )
  ) as fc.Arbitrary<Said>;
  fc.assert(fc.property(said, (it) => assert.deepEqual(heard(bytesOf(it)), it)), { numRuns: 300 });
});
