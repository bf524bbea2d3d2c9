/** The nodes of a summary, in a few long arrays: 41 bytes each, and no object. */
import type { Bytes } from "../digest.ts";

/** Bytes of a node's digest: SHA-256. */
export const NODE_DIGEST_BYTES = 32;
/** Children of an inner node: one for each hex digit. */
export const FAN_OUT = 16;
/** The node that is always there. */
export const ROOT = 1;

/** Room for so many nodes and blocks at first: a summary of ten items is small too. */
const FIRST_NODES = 4;
const FIRST_BLOCKS = 1;
/** Above this many, room grows by a quarter instead of doubling. */
const DOUBLE_UP_TO = 4096;

/** A tree of nodes; 0 is no node. A new one is a leaf of no items, and dirty. */
export class DigestNodes {
  #digests = new Uint8Array(FIRST_NODES * NODE_DIGEST_BYTES) as Bytes;
  #counts = new Uint32Array(FIRST_NODES);
  /** The block of its children, counted from 1; 0 for a leaf. */
  #blocks = new Uint32Array(FIRST_NODES);
  #dirty = new Uint8Array(FIRST_NODES);
  #children = new Uint32Array(FIRST_BLOCKS * FAN_OUT);
  /** Nodes and blocks ever used, and those of them that are free again. */
  #nodes = ROOT;
  #usedBlocks = 0;
  #freeNodes: number[] = [];
  #freeBlocks: number[] = [];

  constructor() {
    this.#clear(this.#nodes++);
  }

  /** How many nodes there are. */
  get size(): number {
    return this.#nodes - ROOT - this.#freeNodes.length;
  }

  /** Bytes of its arrays. */
  get bytes(): number {
    return this.#digests.byteLength + this.#counts.byteLength + this.#blocks.byteLength +
      this.#dirty.byteLength + this.#children.byteLength;
  }

  count(node: number): number {
    return this.#counts[node] ?? 0;
  }
  setCount(node: number, count: number): void {
    this.#counts[node] = count;
  }
  isDirty(node: number): boolean {
    return this.#dirty[node] === 1;
  }
  setDirty(node: number, dirty: boolean): void {
    this.#dirty[node] = dirty ? 1 : 0;
  }
  isLeaf(node: number): boolean {
    return this.#blocks[node] === 0;
  }

  /** The digest in place, to be read or written at once: the next node may move it. */
  digest(node: number): Bytes {
    return this.#digests.subarray(node * NODE_DIGEST_BYTES, (node + 1) * NODE_DIGEST_BYTES);
  }

  /** The child at this digit; 0 if there is none. */
  child(node: number, digit: number): number {
    const block = this.#blocks[node] ?? 0;
    return block === 0 ? 0 : this.#children[(block - 1) * FAN_OUT + digit] ?? 0;
  }

  /** Makes the child at this digit of an inner node, where there is none. */
  addChild(node: number, digit: number): number {
    const child = this.#newNode();
    this.#children[(this.#blocks[node]! - 1) * FAN_OUT + digit] = child;
    return child;
  }

  /** Makes a leaf an inner node without children. */
  open(node: number): void {
    const block = this.#freeBlocks.pop() ?? ++this.#usedBlocks;
    if (block * FAN_OUT > this.#children.length) this.#growBlocks();
    this.#children.fill(0, (block - 1) * FAN_OUT, block * FAN_OUT);
    this.#blocks[node] = block;
  }

  /** Drops the child at this digit, with all below it. */
  dropChild(node: number, digit: number): void {
    const child = this.child(node, digit);
    if (child === 0) return;
    this.close(child);
    this.#freeNodes.push(child);
    this.#children[(this.#blocks[node]! - 1) * FAN_OUT + digit] = 0;
  }

  /** Makes an inner node a leaf, without all below it. */
  close(node: number): void {
    if (this.isLeaf(node)) return;
    for (let digit = 0; digit < FAN_OUT; digit++) this.dropChild(node, digit);
    this.#freeBlocks.push(this.#blocks[node]!);
    this.#blocks[node] = 0;
  }

  #newNode(): number {
    const node = this.#freeNodes.pop() ?? this.#nodes++;
    if (node >= this.#counts.length) this.#growNodes();
    this.#clear(node);
    return node;
  }

  #clear(node: number): void {
    this.#counts[node] = 0;
    this.#blocks[node] = 0;
    this.#dirty[node] = 1;
  }

  #growNodes(): void {
    const room = more(this.#counts.length);
    const digests = new Uint8Array(room * NODE_DIGEST_BYTES);
    digests.set(this.#digests);
    this.#digests = digests;
    const dirty = new Uint8Array(room);
    dirty.set(this.#dirty);
    this.#dirty = dirty;
    this.#counts = grown(this.#counts, room);
    this.#blocks = grown(this.#blocks, room);
  }

  #growBlocks(): void {
    this.#children = grown(this.#children, more(this.#children.length / FAN_OUT) * FAN_OUT);
  }
}

function more(room: number): number {
  return room < DOUBLE_UP_TO ? room * 2 : Math.ceil(room * 1.25);
}

function grown(array: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(array);
  return larger;
}
