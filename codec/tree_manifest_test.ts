import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../core/bytes.ts";
import { digestOf } from "../core/digest.ts";
import { isKind } from "../core/errors.ts";
import { MAX_TREE_ENTRIES } from "../core/limits.ts";
import {
  HOSTILE_TREES,
  rawTree,
  treeFile,
  treeFolder,
  treeLink,
} from "../test/helpers/raw_tree.ts";
import { treeBlobs } from "./tree_check.ts";
import type { TreeEntry } from "./tree_manifest.ts";
import { decodeTree, encodeTree } from "./tree_manifest.ts";

const TREE: readonly TreeEntry[] = [
  treeFile("bin/run", "#!/bin/sh\n", 0o755),
  treeFolder("empty", 0o700),
  treeLink("latest", "bin/run"),
  treeFile("z", ""),
];

function refused(work: () => unknown, words: RegExp): void {
  assert.throws(work, (thrown) => {
    assert.ok(isKind(thrown, "corrupt"), String(thrown));
    assert.match(thrown.message, words);
    return true;
  });
}

Deno.test("decodeTree() reads what encodeTree() made, in the order of paths", () => {
  assert.deepEqual(decodeTree(encodeTree(TREE.toReversed())), TREE);
  assert.deepEqual(decodeTree(encodeTree([])), []);
});

const name = fc.stringMatching(/^[a-z][a-z0-9é😀-]{0,5}$/u);
const entry = fc.tuple(fc.array(name, { minLength: 1, maxLength: 4 }), fc.nat(2), fc.nat(0o777));

Deno.test("encodeTree() and decodeTree() are inverse for any tree, and one tree is one text", () => {
  fc.assert(fc.property(fc.array(entry, { maxLength: 30 }), (wishes) => {
    const tree = new Map<string, TreeEntry>();
    for (const [parts, type, mode] of wishes) {
      const path = parts.join("/");
      // Two parts in front: no path is above another one.
      const own = `${type}/${parts.length}/${path}`;
      if (type === 0) tree.set(own, treeFile(own, path, mode));
      if (type === 1) tree.set(own, treeFolder(own, mode));
      if (type === 2) tree.set(own, treeLink(own, path));
    }
    const entries = [...tree.values()];
    const bytes = encodeTree(entries);
    assert.deepEqual(encodeTree(entries.toReversed()), bytes);
    const read = decodeTree(bytes);
    assert.deepEqual(encodeTree(read), bytes);
    assert.equal(read.length, entries.length);
    for (const found of read) assert.deepEqual(found, tree.get(found.path));
  }));
});

for (const [what, { entries, refusal }] of Object.entries(HOSTILE_TREES)) {
  Deno.test(`hostile tree: ${what} is refused by decodeTree()`, () => {
    refused(() => decodeTree(rawTree(entries)), refusal);
  });
}

Deno.test("hostile tree: a manifest that claims 10^9 files is refused before anything is made", () => {
  const bytes = rawTree([treeFile("a", "x")], 1_000_000_000);
  refused(() => decodeTree(bytes), /claims 1000000000 entries, want at most 200000/);
  refused(() => decodeTree(rawTree([treeFile("a", "x")], MAX_TREE_ENTRIES)), /in \d+ bytes/);
});

Deno.test("hostile tree: a manifest cut off anywhere, or with something behind it, is refused", () => {
  const bytes = encodeTree(TREE);
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeTree(bytes.subarray(0, length)), `${length} bytes`);
  }
  refused(() => decodeTree(concat([bytes, new Uint8Array(1)])), /something follows/);
});

Deno.test("hostile tree: a damaged manifest is refused or is another tree, and never breaks", () => {
  const bytes = encodeTree(TREE);
  for (let at = 0; at < bytes.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const damaged = bytes.slice();
      damaged[at]! ^= flip;
      try {
        assert.deepEqual(encodeTree(decodeTree(damaged)), damaged);
      } catch (thrown) {
        assert.ok(isKind(thrown, "corrupt") || isKind(thrown, "unsupported"), String(thrown));
      }
    }
  }
});

Deno.test("hostile tree: types that are none, such as devices, are refused", () => {
  const bytes = rawTree([treeFolder("dev")]);
  for (const type of [0, 4, 5, 255]) {
    const other = bytes.slice();
    other[12] = type;
    refused(() => decodeTree(other), new RegExp(`of type ${type}, want a file`));
  }
});

Deno.test("hostile tree: bytes that are no UTF-8 are refused", () => {
  const bytes = rawTree([treeFolder("aa")]);
  bytes[17] = 0xff;
  refused(() => decodeTree(bytes), /no UTF-8/);
});

Deno.test("encodeTree() refuses what decodeTree() would", () => {
  refused(() => encodeTree([treeFile(".git/config", "x")]), /git would take/);
  refused(() => encodeTree([treeFile("a"), treeFile("A")]), /case/);
  const many = Array.from({ length: MAX_TREE_ENTRIES + 1 }, (_, n) => treeFile(`f${n}`));
  refused(() => encodeTree(many), /has 200001 entries/);
});

Deno.test("a tree of as many entries as the limit allows is written and read", () => {
  const many = Array.from({ length: MAX_TREE_ENTRIES }, (_, n) => treeFile(`d${n % 500}/f${n}`));
  assert.equal(decodeTree(encodeTree(many)).length, MAX_TREE_ENTRIES);
});

Deno.test("treeBlobs() names each blob once, and the empty one never", () => {
  const tree = [treeFile("a", "x"), treeFile("b", "x"), treeFile("c"), treeFile("d", "y")];
  const digests = treeBlobs(tree).map(({ digest }) => digest);
  assert.deepEqual(digests, [digestOf(utf8("x")), digestOf(utf8("y"))]);
  const twoSizes = [treeFile("a", "x"), { ...treeFile("b", "x"), size: 2 }];
  refused(() => treeBlobs(twoSizes), /another size/);
});

function utf8(text: string) {
  return new TextEncoder().encode(text);
}
