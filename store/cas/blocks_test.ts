import assert from "node:assert/strict";
import type { Bytes } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import { Blocks } from "./blocks.ts";
import type { Block } from "./blocks.ts";

const ONE = digestOf(new Uint8Array([1]));
const TWO = digestOf(new Uint8Array([2]));
const KIB = 1024;

/** Blocks of 1 KiB each; counts what is really read. */
function world(limit = 100 * KIB) {
  const state = { losses: 0, reads: 0 };
  const blocks = new Blocks({ losses: () => state.losses, limit });
  const read = () => {
    state.reads++;
    return new Uint8Array(KIB).fill(state.reads);
  };
  return { state, blocks, read };
}

function now(block: Block | Promise<Block>): Block {
  assert.ok(!(block instanceof Promise));
  return block;
}

Deno.test("Blocks: readers of one blob share a block that is still to be read by one of them", () => {
  const { state, blocks, read } = world();
  using first = blocks.join(ONE);
  using second = blocks.join(ONE);
  const a = now(first.take(0, KIB, read));
  const b = now(second.take(0, KIB, read));
  assert.equal(state.reads, 1);
  assert.equal(a.bytes, b.bytes);
  assert.equal(blocks.bytes, 0, "the last one has come by");
  a.release();
  assert.equal(b.bytes.length, KIB, "it is still needed");
  b.release();
  assert.equal(b.bytes.length, 0, "its memory went back");
});

Deno.test("Blocks: one reader alone keeps nothing, and blobs share nothing", () => {
  const { state, blocks, read } = world();
  using alone = blocks.join(ONE);
  using other = blocks.join(TWO);
  for (let n = 0; n < 4; n++) now(alone.take(n * KIB, (n + 1) * KIB, read)).release();
  now(other.take(0, KIB, read)).release();
  assert.deepEqual([state.reads, blocks.bytes, blocks.readers], [5, 0, 2]);
});

Deno.test("Blocks: a block of other bytes than those asked for is not handed out", () => {
  const { state, blocks, read } = world();
  using behind = blocks.join(ONE);
  using ahead = blocks.join(ONE);
  now(ahead.take(0, KIB, read));
  const shorter = now(behind.take(0, KIB / 2, () => new Uint8Array(KIB / 2)));
  assert.equal(shorter.bytes.length, KIB / 2);
  assert.equal(state.reads, 1);
});

Deno.test("Blocks: never more bytes than the limit; the oldest goes first", () => {
  const { state, blocks, read } = world(3 * KIB);
  using behind = blocks.join(ONE);
  using ahead = blocks.join(ONE);
  for (let n = 0; n < 10; n++) {
    now(ahead.take(n * KIB, (n + 1) * KIB, read)).release();
    assert.ok(blocks.bytes <= 3 * KIB);
  }
  for (let n = 0; n < 7; n++) now(behind.take(n * KIB, (n + 1) * KIB, read)).release();
  assert.equal(state.reads, 17, "those were given up");
  for (let n = 7; n < 10; n++) now(behind.take(n * KIB, (n + 1) * KIB, read)).release();
  assert.equal(state.reads, 17, "these were kept");
  assert.equal(blocks.bytes, 0);
});

Deno.test("Blocks: what was kept before a loss is read again", () => {
  const { state, blocks, read } = world();
  using behind = blocks.join(ONE);
  using ahead = blocks.join(ONE);
  now(ahead.take(0, KIB, read));
  state.losses++;
  now(behind.take(0, KIB, read));
  assert.equal(state.reads, 2);
});

Deno.test("Blocks: when the last of those behind leaves, nothing is kept for them", () => {
  const { blocks, read } = world();
  const [behind, ahead] = [blocks.join(ONE), blocks.join(ONE)];
  const block = now(ahead.take(0, KIB, read));
  assert.equal(blocks.bytes, KIB);
  behind[Symbol.dispose]();
  behind[Symbol.dispose]();
  assert.deepEqual([blocks.bytes, blocks.readers], [0, 1]);
  assert.equal(block.bytes.length, KIB, "who has it still has it");
  ahead[Symbol.dispose]();
  assert.equal(blocks.readers, 0);
});

Deno.test("Blocks: a read that waits is shared when it is there, and a failed one is nobody's", async () => {
  const { blocks } = world();
  using behind = blocks.join(ONE);
  using ahead = blocks.join(ONE);
  await assert.rejects(async () => {
    await ahead.take(0, KIB, () => Promise.reject(new Error("far away")));
  }, /far away/);
  assert.equal(blocks.bytes, 0);
  const slow = Promise.withResolvers<Bytes>();
  const coming = ahead.take(0, KIB, () => slow.promise);
  const mine = now(behind.take(0, KIB, () => new Uint8Array(KIB)));
  slow.resolve(new Uint8Array(KIB));
  assert.notEqual((await coming).bytes, mine.bytes);
  assert.equal(blocks.bytes, 0, "nobody comes behind any more");
});
