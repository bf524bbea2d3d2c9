/**
 * The bytes of each on-disk format, as the first version wrote them. A change here means that
 * stores of before cannot be read: it needs a new version number, and the old bytes stay.
 */
import assert from "node:assert/strict";
import type { Bytes } from "../core/digest.ts";
import { digestOf, fromHex, sha256, toHex } from "../core/digest.ts";
import type { EntryFacts } from "../core/entry.ts";
import { decodeAuditRow, decodeNote, encodeAuditRow, encodeNote } from "./audit_record.ts";
import { DEFAULT_CHUNKER } from "./chunker.ts";
import { decodeEntry, decodeTombstone, encodeEntry, encodeTombstone } from "./entry_record.ts";
import { decodeFooter, decodeTrailer, encodeFooter, TRAILER_BYTES } from "./footer.ts";
import { decodePart, decodeRecipe } from "./recipe.ts";
import { RecipeBuilder } from "./recipe_builder.ts";
import { checkBody, decodeHeader, encodeHeader, openBody, RECORD_HEADER_BYTES } from "./record.ts";
import { noSeal } from "./seal.ts";
import { decodeSegmentHeader, encodeSegmentHeader } from "./segment.ts";
import { decodeTree, encodeTree } from "./tree_manifest.ts";
import type { TreeEntry } from "./tree_manifest.ts";
import { decodeVisibility, encodeVisibility } from "./visibility_record.ts";

const text = (value: string): Bytes => new TextEncoder().encode(value);
const context = { keys: { indexKey: new Uint8Array(32).map((_, i) => i) }, seal: noSeal };
const version = { epoch: 2, hlc: 0x018bcfe568000001n, device: "0123456789abcdef" };
const segmentId = fromHex("018bcfe568007abc8def0123456789ab");
const hello = text("hello");

const segment = { kind: "data", id: segmentId, created: 1_700_000_000_000, number: 5 } as const;

const row = {
  kind: "chunk",
  codec: 0,
  storedLength: 5,
  rawLength: 5,
  id: sha256(hello),
  offset: 56,
} as const;

const facts: EntryFacts = {
  namespace: "web",
  scope: "main",
  protocol: "turborepo",
  key: "8f3a",
  content: "opaque",
  blobs: [
    { digest: digestOf(hello), size: 5 },
    { digest: digestOf(text("large")), size: 1_000_000 },
  ],
  tags: ["v1"],
  writer: "ci",
  created: 1_700_000_000_000,
  cost: 1500,
  inputs: { lockfile: "00ff" },
  headers: { "x-artifact-tag": "sig" },
};

const visibility = { namespace: "web", linked: true, blobs: facts.blobs };

const tree: readonly TreeEntry[] = [
  { type: "file", path: "bin/run", mode: 0o755, size: 5, digest: digestOf(hello) },
  { type: "folder", path: "empty", mode: 0o700 },
  { type: "link", path: "é", target: "bin/run" },
];
const changedId = sha256(hello);
const note = {
  kind: "delete",
  at: 1_700_000_000_000,
  writer: "ci",
  before: digestOf(hello),
} as const;
const place = { hlc: version.hlc, position: { segment: 5, offset: 56 }, id: changedId };
const change = {
  ...note,
  namespace: "web",
  scope: "main",
  protocol: "kv",
  key: "8f3a",
  after: undefined,
} as const;

function recipe(count: number) {
  const builder = new RecipeBuilder(DEFAULT_CHUNKER);
  const parts = [];
  for (let i = 0; i < count; i++) {
    parts.push(...builder.add(sha256(text(`chunk ${i}`)), 70_000 + i));
  }
  const { root, parts: last } = builder.finish(digestOf(text("blob")));
  return { root, parts: [...parts, ...last] };
}

/** A part is long: its SHA-256 stands for it. */
const made: Readonly<Record<keyof typeof GOLDEN, () => Bytes>> = {
  segmentHeader: () => encodeSegmentHeader(segment),
  recordHeader: () => encodeHeader({ ...row, stored: hello }),
  footer: () => encodeFooter({ kind: "data", segmentId, recordsEnd: 117 }, [row]),
  recipeLevel1: () => recipe(5).root,
  recipeLevel2: () => recipe(300).root,
  recipePartHash: () => sha256(recipe(300).parts[0]!.body),
  entry: () => encodeEntry(facts, version, context).record.body,
  tombstone: () => encodeTombstone(facts, version, context).record.body,
  visibility: () => encodeVisibility(visibility, context).body,
  tree: () => encodeTree(tree),
  auditNote: () => encodeNote(note, changedId, noSeal).body,
  auditRow: () => encodeAuditRow(change, place, noSeal).body,
};

Deno.test("every on-disk format is written as its golden bytes", async (t) => {
  for (const [name, make] of Object.entries(made)) {
    await t.step(name, () => assert.equal(toHex(make()), GOLDEN[name as keyof typeof GOLDEN]));
  }
});

Deno.test("golden bytes of segment header, record and footer are read", () => {
  assert.deepEqual(decodeSegmentHeader(fromHex(GOLDEN.segmentHeader)), segment);
  const header = decodeHeader(fromHex(GOLDEN.recordHeader));
  assert.ok(header && checkBody(header, hello));
  const { offset: _offset, ...fields } = row;
  assert.deepEqual(header, { ...fields, bodyCrc: header.bodyCrc });
  assert.equal(RECORD_HEADER_BYTES * 2, GOLDEN.recordHeader.length);
  const footer = fromHex(GOLDEN.footer);
  const trailer = decodeTrailer(footer.subarray(-TRAILER_BYTES), 117 + footer.length);
  assert.deepEqual(decodeFooter(footer.subarray(0, -TRAILER_BYTES), trailer), [row]);
});

Deno.test("a golden zstd record is read, whatever today's compressor makes", () => {
  const stored = fromHex(GOLDEN_ZSTD);
  const header = { codec: 1, storedLength: stored.length, rawLength: 100 } as const;
  assert.deepEqual(openBody(header, stored), new Uint8Array(100).fill(97));
});

/** 100 times "a". */
const GOLDEN_ZSTD = "28b52ffd004845000010616101003f012c";

Deno.test("golden bytes of recipes are read", () => {
  const one = decodeRecipe(fromHex(GOLDEN.recipeLevel1));
  assert.deepEqual([one.level, one.entries.length, one.size], [1, 5, 350_010]);
  const two = decodeRecipe(fromHex(GOLDEN.recipeLevel2));
  assert.equal(two.level, 2);
  assert.deepEqual(two.chunker, DEFAULT_CHUNKER);
  const { parts } = recipe(300);
  assert.equal(two.entries.length, parts.length);
  const counts = parts.map((part, i) => decodePart(part.body, two.entries[i]!.length).length);
  assert.equal(counts.reduce((sum, count) => sum + count, 0), 300);
});

Deno.test("golden bytes of log records are read", () => {
  const entry = decodeEntry(fromHex(GOLDEN.entry), context);
  assert.deepEqual(entry.facts, facts);
  assert.equal(entry.stamp.hlc, version.hlc);
  const tombstone = decodeTombstone(fromHex(GOLDEN.tombstone), context);
  assert.equal(tombstone.key.key, facts.key);
  const seen = decodeVisibility(fromHex(GOLDEN.visibility), context);
  assert.deepEqual([seen.namespace, seen.linked, seen.blobs.length], ["web", true, 2]);
  const audit = (body: string) => ({ kind: "audit" as const, id: changedId, body: fromHex(body) });
  assert.deepEqual(decodeNote(audit(GOLDEN.auditNote), noSeal), note);
  assert.deepEqual(decodeAuditRow(audit(GOLDEN.auditRow), noSeal), change);
});

Deno.test("golden bytes of a tree's manifest are read", () => {
  assert.deepEqual(decodeTree(fromHex(GOLDEN.tree)), tree);
});

/** What the first version wrote. */
const GOLDEN = {
  segmentHeader:
    "5652432d5345470a0100010000000000018bcfe568007abc8def0123456789ab0068e5cf8b0100000500000000" +
    "0000000000000061b62720",
  recordHeader:
    "895652310100000005000000050000002cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e7304336293" +
    "8b982486a61036aec117ad",
  footer:
    "0100000005000000050000002cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b982438" +
    "000000000000005652432d454e440a01000100010000003400000000000000018bcfe568007abc8def01234567" +
    "89ab75000000000000000000000000000000a2c965bd98e124a9",
  recipeLevel1:
    "5652435001010102004000000000010000000400000000003a57050000000000fa2c8cc4f28176bbeed4b736df" +
    "569a34c79cd3723e9ec42f9674b4d46ac6b8b805000000000000003887e4ff4cb117983b927fde9da0c0818813" +
    "a3d587b053db40fe6d951f6a3f47701101001993a3c633cf3e4fd898beaccbf56c1544235cd8f97396e3cbe309" +
    "52502a516771110100475a6d7381a8a3c8b8f9e57f0e195303d478256d6948758bec72167f38248fc772110100" +
    "9e6813f2af150d90d31db8156361cf1a334be969eee1d912c1cadd83214a388673110100cf70e8b1f4bd180733" +
    "abd45cbcbe0d8d4ccace9ee1c40b6e87db4d1adfa30d9874110100",
  recipeLevel2:
    "565243500102010200400000000001000000040000000000721e410100000000fa2c8cc4f28176bbeed4b736df" +
    "569a34c79cd3723e9ec42f9674b4d46ac6b8b803000000000000009974595b9ff21d7a3645bdef48e99dcc978e" +
    "ea3cdbc42eb5f9ace6db4a0bb59f22d85a0000000000770394cfd0096738c4ac75fc47d2f5dfb488a96c407b77" +
    "00fa504338c3a5ce3014e0b300000000002d80181002ed497e5780b485f5bd30659b43ee01ec612d3d4699e614" +
    "894833e13c66320000000000",
  recipePartHash: "9974595b9ff21d7a3645bdef48e99dcc978eea3cdbc42eb5f9ace6db4a0bb59f",
  entry:
    "010401000200000001000068e5cf8b010123456789abcdef92376231dd6bd738d0da3b7e12f770ed434b26cde0" +
    "c2dab8ffd220578c6489c9742447de3c02ee08f4b461c30c03344ffddbd353be0158dd2f27a1226d3875ed0200" +
    "0000012cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824050000000000000002d3" +
    "5c416a85b807e9b5384915d6ebb4a9f7352713efd89857b45a242f473728a940420f0000000000ac636b657964" +
    "3866336164636f73741905dc6474616773816276316573636f7065646d61696e66696e70757473a1686c6f636b" +
    "66696c6564303066666677726974657262636967636f6e74656e74666f706171756567637265617465641b0000" +
    "018bcfe56800676469676573747358402cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e7304336293" +
    "8b9824d35c416a85b807e9b5384915d6ebb4a9f7352713efd89857b45a242f473728a96768656164657273a16e" +
    "782d61727469666163742d746167637369676870726f746f636f6c69747572626f7265706f696e616d65737061" +
    "636563776562",
  tombstone:
    "010500000200000001000068e5cf8b010123456789abcdef076b63db530347404854e68080348405de02b4eb87" +
    "003faca50a3e52db43d8e1742447de3c02ee08f4b461c30c03344ffddbd353be0158dd2f27a1226d3875ed0000" +
    "0000a4636b657964386633616573636f7065646d61696e6870726f746f636f6c69747572626f7265706f696e61" +
    "6d65737061636563776562",
  visibility:
    "010701000d8d373c0ad4803a2d6b5a6cc5882270a032a9ec67d7f6622b6d0f0e779c364a02000000012cf24dba" +
    "5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824050000000000000002d35c416a85b807e9" +
    "b5384915d6ebb4a9f7352713efd89857b45a242f473728a940420f0000000000a1696e616d6573706163656377" +
    "6562",
  tree:
    "56545245010000000300000001ed01070062696e2f72756e05000000000000002cf24dba5fb0a30e26e83b2ac5" +
    "b9e29e1b161e5c1fa7425e73043362938b982402c0010500656d7074790300000200c3a9070062696e2f72756e",
  auditNote:
    "010803000068e5cf8b0100005b226369222c227368613235362d32636632346462613566623061333065323665" +
    "383362326163356239653239653162313631653563316661373432356537333034333336323933386239383234" +
    "225d",
  auditRow:
    "010803010068e5cf8b01000001000068e5cf8b01050000000000000038000000000000005b226369222c227368" +
    "613235362d32636632346462613566623061333065323665383362326163356239653239653162313631653563" +
    "316661373432356537333034333336323933386239383234222c6e756c6c2c22776562222c226d61696e222c22" +
    "6b76222c2238663361225d",
} as const;
