import assert from "node:assert/strict";
import { hash } from "node:crypto";
import fc from "fast-check";
import { addBlock, BLOCK_BYTES, endMessage, firstState, writeState } from "./sha256_block.ts";

/** A message in one go, its first blocks taken in one by one. */
function sha256(message: Uint8Array, blocks: number): string {
  const state = firstState();
  const before = blocks * BLOCK_BYTES;
  for (let at = 0; at < before; at += BLOCK_BYTES) addBlock(state, message, at);
  const length = message.length - before;
  const room = new Uint8Array(length + 2 * BLOCK_BYTES).fill(0xaa);
  room.set(message.subarray(before));
  endMessage(state, room, { before, length });
  const digest = new Uint8Array(32);
  writeState(state, digest);
  return digest.toHex();
}

Deno.test("sha256 by blocks: the runtime's hash for every length up to five blocks", () => {
  for (let length = 0; length <= 5 * BLOCK_BYTES; length++) {
    const message = crypto.getRandomValues(new Uint8Array(length));
    assert.equal(sha256(message, 0), hash("sha256", message), `${length} bytes`);
    assert.equal(sha256(message, Math.floor(length / BLOCK_BYTES)), hash("sha256", message));
  }
});

Deno.test("sha256 by blocks: the runtime's hash for bytes of all kinds", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (message) => {
      assert.equal(
        sha256(message, Math.floor(message.length / BLOCK_BYTES)),
        hash("sha256", message),
      );
    }),
    { numRuns: 1000 },
  );
});
