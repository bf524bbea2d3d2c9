/** Messages of a session: their bytes, and what is none. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Bytes } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import { decodeSession } from "./decode.ts";
import { encodeSession } from "./encode.ts";
import type { SessionMessages } from "./messages.ts";
import { SESSION_NUMBER } from "./messages.ts";

type Case = { [K in keyof SessionMessages]: [K, Parameters<SessionMessages[K]>[0], string] }[
  keyof SessionMessages
];

const bytes = (hex: string): Bytes => Uint8Array.fromHex(hex) as Bytes;
const ID = "ab".repeat(32);

const GOLDEN: Case[] = [
  [
    "hello",
    { oldest: 1, newest: 2, capabilities: 5, clock: 1_700_000_000_000 },
    "01010200050000000068e5cf8b010000",
  ],
  ["compare", { comparison: 258, body: bytes("0102") }, "02020100000102"],
  [
    "records",
    { comparison: 2, batch: 3, last: true, records: [bytes("aa"), bytes("bbcc")] },
    "03010200000003000000020001000000aa02000000bbcc",
  ],
  ["records", { comparison: 2, batch: 0, last: true, records: [] }, "030102000000000000000000"],
  ["want", { offer: 3, wanted: [true, false, true] }, "04030000000300000005"],
  [
    "recipe",
    { batch: 3, offer: 4, id: bytes(ID), body: bytes("00ff") },
    `050300000004000000${ID}00ff`,
  ],
  [
    "chunk",
    { batch: 3, zstd: false, rawLength: 2, id: bytes(ID), bytes: bytes("0102") },
    `06000300000002000000${ID}0102`,
  ],
  [
    "pack",
    { batch: 3, zstd: true, rawLength: 5, lengths: [2, 0, 3], bytes: bytes("01020304") },
    "07010300000005000000030002000000030001020304",
  ],
  ["commit", { batch: 3 }, "0803000000"],
  [
    "commitAck",
    {
      batch: 3,
      missing: [true, false, false],
      refused: [false, true, false],
      stamped: [{ index: 2, record: bytes("aabb") }],
    },
    "090300000003000102010002" + "0002000000aabb",
  ],
  ["credit", { class: "bulk", bytes: 65536 }, "0a0300000100"],
  ["cancel", { comparison: 2, kind: "not_found" }, "0b0200000004"],
  ["ping", { number: 7n }, "0c0700000000000000"],
  ["pong", { number: 7n }, "0d0700000000000000"],
  ["invalidate", { namespace: "team", epoch: 9 }, "0e09000000047465616d"],
  ["goaway", { kind: "unavailable" }, "0f0c"],
];

/** Hears everything and notes it. */
function listener(heard: unknown[]): SessionMessages {
  const names = Object.keys(SESSION_NUMBER) as (keyof SessionMessages)[];
  return Object.fromEntries(
    names.map((name) => [name, (message: unknown) => void heard.push([name, message])]),
  ) as unknown as SessionMessages;
}

function encode(name: keyof SessionMessages, message: unknown): string {
  let hex = "";
  const says = encodeSession((sent) => hex = sent.toHex());
  (says[name] as (message: unknown) => void)(message);
  return hex;
}

for (const [name, message, golden] of GOLDEN) {
  Deno.test(`session messages: ${name} has these bytes, and no others are read as it`, () => {
    assert.equal(encode(name, message), golden);
    const heard: unknown[] = [];
    decodeSession(bytes(golden), listener(heard));
    assert.deepEqual(heard, [[name, message]]);
  });
}

Deno.test("session messages: every one is in the golden list", () => {
  assert.deepEqual(
    [...new Set(GOLDEN.map(([name]) => name))].sort(),
    Object.keys(SESSION_NUMBER).sort(),
  );
});

Deno.test("session messages: one that ends early is refused, whatever it is", () => {
  for (const [name, , golden] of GOLDEN) {
    for (let length = 0; length < golden.length / 2; length++) {
      const cut = bytes(golden).slice(0, length);
      // What is as long as the message says is only shorter then.
      const free = { compare: 6, recipe: 42, pack: 19 }[name as string];
      if (free !== undefined && length >= free) continue;
      assert.throws(
        () => decodeSession(cut, listener([])),
        (error) => isKind(error, "invalid_argument"),
        `${name} cut to ${length}`,
      );
    }
  }
});

Deno.test("session messages: a field out of range is refused", () => {
  const bad: [string, string][] = [
    ["an unknown message", "10"],
    ["no message", ""],
    ["HELLO of version 0", "01000200050000000068e5cf8b010000"],
    ["HELLO that is oldest above newest", "01030200050000000068e5cf8b010000"],
    ["HELLO with its reserved byte set", "01010201050000000068e5cf8b010000"],
    ["HELLO of a clock beyond all", "010102000500000000000000000001" + "00"],
    ["RECORDS with an unknown flag", "03020200000003000000010001000000aa"],
    ["RECORDS of nothing that is not the last", "030002000000000000000000"],
    ["RECORDS of nothing with a number", "030102000000030000000000"],
    ["RECORDS with number 0", "03010200000000000000010001000000aa"],
    ["RECORDS with an empty record", "0301020000000300000001000000000000"],
    ["RECORDS with a byte too many", "03010200000003000000010001000000aaff"],
    ["WANT of offer 0", "04000000000300000005"],
    ["WANT with a bit for nothing", "04030000000300000008"],
    ["WANT of four billion bits", "0403000000ffffffff05"],
    ["CHUNK of another length", `06000300000003000000${ID}0102`],
    ["CHUNK of more than 2 MiB", `06010300000001002000${ID}0102`],
    ["CHUNK compressed for nothing", `06010300000002000000${ID}0102`],
    ["CHUNK of an unknown codec", `06020300000003000000${ID}0102`],
    ["PACK of no blobs", "0700030000000000000000" + "00"],
    ["PACK whose lengths do not add up", "070003000000050000000200020002000102030405"],
    ["PACK with a blob that is not small", "0701030000000140000001000140" + "0102"],
    ["COMMIT_ACK with two outcomes", "0903000000030001010000" + "00"],
    ["COMMIT_ACK for nothing", "09030000000000" + "0000"],
    ["COMMIT_ACK that stamps what it refused", "0903000000010000010100000001000000aa"],
    ["CREDIT of nothing", "0a0300000000"],
    ["CREDIT for control", "0a0000000100"],
    ["CREDIT of lane 5", "0a0500000100"],
    ["CREDIT of more than all", "0a0301000002"],
    ["CANCEL for an unknown reason", "0b0200000010"],
    ["INVALIDATE of no namespace", "0e0900000004545f2e2f"],
    ["GOAWAY with a byte too many", "0f0c00"],
  ];
  for (const [what, hex] of bad) {
    assert.throws(
      () => decodeSession(bytes(hex), listener([])),
      (error) => isKind(error, "invalid_argument"),
      what,
    );
  }
});

Deno.test("session messages: any bytes are a message or refused", () => {
  const [seed, changes] = [fc.nat(GOLDEN.length - 1), fc.array(fc.tuple(fc.nat(80), fc.nat(255)))];
  fc.assert(
    fc.property(seed, changes, (which, edits) => {
      const message = bytes(GOLDEN[which]![2]);
      for (const [at, value] of edits) if (at < message.length) message[at] = value;
      const heard: unknown[] = [];
      try {
        decodeSession(message, listener(heard));
      } catch (error) {
        assert.ok(isKind(error, "invalid_argument"), String(error));
        return;
      }
      const [name, value] = heard[0] as [keyof SessionMessages, unknown];
      assert.equal(encode(name, value), message.toHex());
    }),
    { numRuns: 2000 },
  );
});
