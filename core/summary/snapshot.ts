/**
 * The nodes of a summary as bytes, so that a start need not hash every id anew.
 *
 *     version 1 | nodes, each behind its parent and in the order of their digits:
 *     leaf   0 | items u8 | digest 32
 *     inner  1 | bitmap of children u16, little-endian | digest 32
 */
import type { Bytes } from "../digest.ts";
import { DigestNodes, FAN_OUT, NODE_DIGEST_BYTES, ROOT } from "./digest_nodes.ts";
import { ITEM_DIGITS } from "./item.ts";
import { MAX_LEAF_ITEMS } from "./trie.ts";

const VERSION = 1;
const LEAF_BYTES = 2 + NODE_DIGEST_BYTES;
const INNER_BYTES = 3 + NODE_DIGEST_BYTES;

/** The nodes of a summary whose root was just asked for: none may be dirty. */
export function encodeNodes(nodes: DigestNodes): Bytes {
  const bytes = new Uint8Array(1 + nodes.size * INNER_BYTES);
  bytes[0] = VERSION;
  let at = 1;
  write(ROOT);
  return bytes.slice(0, at);

  function write(node: number): void {
    if (nodes.isDirty(node)) throw new TypeError("Cannot write a summary: it is not up to date");
    if (nodes.isLeaf(node)) {
      bytes[at + 1] = nodes.count(node);
      bytes.set(nodes.digest(node), at + 2);
      at += LEAF_BYTES;
      return;
    }
    let bits = 0;
    for (let digit = 0; digit < FAN_OUT; digit++) {
      if (nodes.child(node, digit) !== 0) bits |= 1 << digit;
    }
    bytes.set([1, bits & 0xff, bits >> 8], at);
    bytes.set(nodes.digest(node), at + 3);
    at += INNER_BYTES;
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const child = nodes.child(node, digit);
      if (child !== 0) write(child);
    }
  }
}

/** Reads them back; `undefined` for what {@linkcode encodeNodes} does not write. */
export function decodeNodes(bytes: Bytes): DigestNodes | undefined {
  const nodes = new DigestNodes();
  let at = 1;
  const whole = bytes[0] === VERSION && read(ROOT, 0) && at === bytes.length;
  return whole ? nodes : undefined;

  function read(node: number, depth: number): boolean {
    const kind = bytes[at];
    const size = kind === 0 ? LEAF_BYTES : INNER_BYTES;
    if (kind === undefined || kind > 1 || at + size > bytes.length) return false;
    nodes.digest(node).set(bytes.subarray(at + size - NODE_DIGEST_BYTES, at + size));
    nodes.setDirty(node, false);
    const [low, high] = [bytes[at + 1]!, bytes[at + 2]!]; // in range
    at += size;
    if (kind === 0) {
      nodes.setCount(node, low);
      return low <= MAX_LEAF_ITEMS && (low > 0 || node === ROOT);
    }
    if (depth === ITEM_DIGITS) return false;
    nodes.open(node);
    let count = 0;
    for (let digit = 0; digit < FAN_OUT; digit++) {
      if (((low | high << 8) >> digit & 1) === 0) continue;
      const child = nodes.addChild(node, digit);
      if (!read(child, depth + 1)) return false;
      count += nodes.count(child);
    }
    nodes.setCount(node, count);
    return count > MAX_LEAF_ITEMS;
  }
}
