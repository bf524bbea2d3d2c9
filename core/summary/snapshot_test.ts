/** A summary that was written down and read again. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { toHex } from "../digest.ts";
import { DigestNodes } from "./digest_nodes.ts";
import { ItemPages } from "./item_pages.ts";
import { decodeNodes, encodeNodes } from "./snapshot.ts";
import { SummaryTrie } from "./trie.ts";

function id(n: number): Uint8Array {
  return new Uint8Array(createHash("sha256").update(String(n)).digest().subarray(0, 16));
}

function trieOf(count: number): { pages: ItemPages; trie: SummaryTrie } {
  const pages = new ItemPages();
  const trie = new SummaryTrie(pages);
  for (let n = 0; n < count; n++) {
    pages.add(id(n));
    trie.mark(id(n));
  }
  trie.root();
  return { pages, trie };
}

Deno.test("summary snapshot: what is read back has the same root, and takes changes", () => {
  for (const count of [0, 1, 64, 65, 3000]) {
    const { pages, trie } = trieOf(count);
    const nodes = decodeNodes(encodeNodes(trie.nodes));
    assert.ok(nodes);
    const back = new SummaryTrie(pages, nodes);
    assert.equal(toHex(back.root()), toHex(trie.root()));
    assert.equal(back.count(""), count);
    pages.add(id(5000));
    pages.delete(id(0));
    back.mark(id(5000));
    back.mark(id(0));
    trie.mark(id(5000));
    trie.mark(id(0));
    assert.equal(toHex(back.root()), toHex(trie.root()));
  }
});

Deno.test("summary snapshot: a root that was read back asks the source for nothing", () => {
  const { trie } = trieOf(3000);
  const nodes = decodeNodes(encodeNodes(trie.nodes))!;
  const nothing = () => assert.fail("the source was asked");
  const back = new SummaryTrie({ items: nothing, after: nothing }, nodes);
  assert.equal(toHex(back.root()), toHex(trie.root()));
});

Deno.test("summary snapshot: cut or bent bytes are no snapshot, or one of another root", () => {
  const { trie } = trieOf(300);
  const bytes = encodeNodes(trie.nodes);
  for (let cut = 0; cut < bytes.length; cut++) {
    assert.equal(decodeNodes(bytes.slice(0, cut)), undefined);
  }
  assert.equal(decodeNodes(new Uint8Array([...bytes, 0])), undefined);
  for (let at = 0; at < bytes.length; at++) {
    const bent = bytes.slice();
    bent[at]! ^= 0x80;
    decodeNodes(bent); // whatever it says, it ends
  }
});

Deno.test("summary snapshot: one that is not up to date is not written", () => {
  assert.throws(() => encodeNodes(new DigestNodes()), TypeError);
});
