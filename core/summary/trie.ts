/**
 * Summaries: what a set of item ids hashes to, and where two sets differ.
 *
 * The digest of a prefix is a matter of the set alone, whatever came and went before:
 *
 * - none, if no id begins with it;
 * - SHA-256(0x00 ‖ the ids that begin with it, ascending), if they are at most 64;
 * - else SHA-256(0x01 ‖ u16 bitmap, little-endian ‖ digests of the prefixes that are one hex digit
 *   longer, in order), where a bit of the map stands for a digest that follows.
 *
 * The root is the digest of the empty prefix; that of the empty set is SHA-256(0x00). Nodes are
 * kept for prefixes of more than 64 ids and one digit below them: with a million ids these are
 * 65,536 leaves of 15. A change marks its way down; hashes are made when they are asked for.
 */
import { hash } from "node:crypto";
import type { Bytes } from "../digest.ts";
import { DigestNodes, FAN_OUT, NODE_DIGEST_BYTES, ROOT } from "./digest_nodes.ts";
import { below, cutByDigit, digitAt, ITEM_BYTES, ITEM_DIGITS } from "./item.ts";
import type { ItemSource } from "./item.ts";

/**
 * Ids of a node that is not split. A split leaves four of them to a node, so that the nodes'
 * digests never take more than half of what the ids take.
 */
export const MAX_LEAF_ITEMS = 64;

/** A summary as a peer is shown it. Prefixes are lowercase hex digits, at most 32. */
export interface SummaryView extends ItemSource {
  /** The digest of all, 32 bytes. */
  root(): Bytes;
  /** How many ids begin with these digits. */
  count(prefix: string): number;
  /** The digests one digit below the prefix; `undefined` where no id is. */
  children(prefix: string): (Bytes | undefined)[];
}

const leafText = new Uint8Array(1 + MAX_LEAF_ITEMS * ITEM_BYTES);
const innerText = new Uint8Array(3 + FAN_OUT * NODE_DIGEST_BYTES);
innerText[0] = 1;

/**
 * The digests over a source of ids, which it asks again for whatever changed. Whoever changes the
 * source calls {@linkcode mark} before the next question.
 */
export class SummaryTrie implements SummaryView {
  readonly #source: ItemSource;
  readonly nodes: DigestNodes;

  /** Over a source that holds nothing yet, or whose nodes are known. */
  constructor(source: ItemSource, nodes = new DigestNodes()) {
    this.#source = source;
    this.nodes = nodes;
  }

  /** Notes that this id came or went; a mark too many costs time alone. Hashes nothing. */
  mark(id: Uint8Array): void {
    const { nodes } = this;
    let node = ROOT;
    for (let depth = 0;; depth++) {
      nodes.setDirty(node, true);
      if (nodes.isLeaf(node)) return;
      const digit = digitAt(id, depth);
      node = nodes.child(node, digit) || nodes.addChild(node, digit);
    }
  }

  /** Notes that any id may have come or gone, in parts that {@linkcode refreshing} can step through. */
  markAll(): void {
    const { nodes } = this;
    nodes.close(ROOT);
    nodes.setDirty(ROOT, true);
    nodes.open(ROOT);
    for (let first = 0; first < FAN_OUT; first++) {
      const child = nodes.addChild(ROOT, first);
      nodes.open(child);
      for (let second = 0; second < FAN_OUT; second++) nodes.addChild(child, second);
    }
  }

  /** Makes the hashes that are missing in up to 256 parts; others may get a turn between two. */
  *refreshing(): Generator<void, void, undefined> {
    for (let first = 0; first < FAN_OUT; first++) {
      for (let second = 0; second < FAN_OUT; second++) {
        // Looked up anew: between two parts anything may have happened.
        const node = this.nodes.child(this.nodes.child(ROOT, first), second);
        if (node === 0 || !this.nodes.isDirty(node)) continue;
        this.#refresh(node, below(below("", first), second));
        yield;
      }
    }
    this.#refresh(ROOT, "");
  }

  root(): Bytes {
    this.#refresh(ROOT, "");
    return this.nodes.digest(ROOT).slice();
  }

  count(prefix: string): number {
    const found = this.#find(prefix);
    return found.node === undefined ? found.ids.length / ITEM_BYTES : this.nodes.count(found.node);
  }

  children(prefix: string): (Bytes | undefined)[] {
    const { node, ids } = this.#find(prefix);
    if (node !== undefined && !this.nodes.isLeaf(node)) {
      return Array.from({ length: FAN_OUT }, (_, digit) => {
        const child = this.nodes.child(node, digit);
        return child === 0 ? undefined : this.nodes.digest(child).slice();
      });
    }
    const all = ids ?? this.#source.items(prefix);
    if (prefix.length === ITEM_DIGITS) return Array.from({ length: FAN_OUT }, () => undefined);
    return cutByDigit(all, prefix.length).map((part) =>
      part.length === 0 ? undefined : leafDigest(part, new Uint8Array(NODE_DIGEST_BYTES))
    );
  }

  items(prefix: string): Bytes {
    return this.#source.items(prefix);
  }

  after(after: Uint8Array | undefined, limit: number): Bytes {
    return this.#source.after(after, limit);
  }

  /** The node of a prefix, or the few ids of one that has none. */
  #find(
    prefix: string,
  ): { node: number; ids: undefined } | { node: undefined; ids: Bytes } {
    this.#refresh(ROOT, "");
    let node = ROOT;
    for (let depth = 0; depth < prefix.length; depth++) {
      if (this.nodes.isLeaf(node)) return { node: undefined, ids: this.#source.items(prefix) };
      node = this.nodes.child(node, parseInt(prefix[depth]!, 16));
      if (node === 0) return { node: undefined, ids: new Uint8Array(0) };
    }
    return { node, ids: undefined };
  }

  #refresh(node: number, prefix: string): void {
    const { nodes } = this;
    if (!nodes.isDirty(node)) return;
    if (nodes.isLeaf(node)) return this.#fill(node, this.#source.items(prefix), prefix.length);
    let count = 0;
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const child = nodes.child(node, digit);
      if (child === 0) continue;
      this.#refresh(child, below(prefix, digit));
      if (nodes.count(child) === 0) nodes.dropChild(node, digit);
      count += nodes.count(child);
    }
    if (count <= MAX_LEAF_ITEMS) {
      nodes.close(node);
      return this.#fill(node, this.#source.items(prefix), prefix.length);
    }
    this.#settle(node, count);
  }

  /** What is to stand below a leaf, from its ids. */
  #fill(node: number, ids: Bytes, depth: number): void {
    const { nodes } = this;
    const count = ids.length / ITEM_BYTES;
    if (count <= MAX_LEAF_ITEMS) {
      leafDigest(ids, nodes.digest(node));
      nodes.setCount(node, count);
      nodes.setDirty(node, false);
      return;
    }
    if (depth === ITEM_DIGITS) throw new RangeError("Cannot summarize: an id comes more than once");
    nodes.open(node);
    cutByDigit(ids, depth).forEach((part, digit) => {
      if (part.length > 0) this.#fill(nodes.addChild(node, digit), part, depth + 1);
    });
    this.#settle(node, count);
  }

  /** Hashes an inner node whose children are right. */
  #settle(node: number, count: number): void {
    const { nodes } = this;
    let bits = 0;
    let at = 3;
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const child = nodes.child(node, digit);
      if (child === 0) continue;
      bits |= 1 << digit;
      innerText.set(nodes.digest(child), at);
      at += NODE_DIGEST_BYTES;
    }
    innerText[1] = bits & 0xff;
    innerText[2] = bits >> 8;
    nodes.digest(node).setFromHex(hash("sha256", innerText.subarray(0, at), "hex"));
    nodes.setCount(node, count);
    nodes.setDirty(node, false);
  }
}

function leafDigest(ids: Bytes, into: Bytes): Bytes {
  leafText.set(ids, 1);
  into.setFromHex(hash("sha256", leafText.subarray(0, 1 + ids.length), "hex"));
  return into;
}
