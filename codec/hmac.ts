/** HMAC-SHA-256, RFC 2104, by two plain hashes. */
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import type { Bytes } from "../core/digest.ts";
import { fromHex, sha256 } from "../core/digest.ts";

const BLOCK_BYTES = 64;

/**
 * HMAC-SHA-256 of the parts, one behind the other: 32 bytes. Made of copies of two hashes that have
 * taken the key in, with hex between: a new hash of this runtime costs four times a copy, a put
 * makes four of these and an index rebuild millions. The bytes of a key must not change.
 */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  const begun = beginningsOf(key);
  const inner = begun.inner.copy();
  for (const part of parts) inner.update(part);
  return fromHex(begun.outer.copy().update(fromHex(inner.digest("hex"))).digest("hex"));
}

interface Beginnings {
  readonly inner: Hash;
  readonly outer: Hash;
}

/** By the key's own object: with it goes what was made of it. */
const beginnings = new WeakMap<Uint8Array, Beginnings>();

function beginningsOf(key: Uint8Array): Beginnings {
  const known = beginnings.get(key);
  if (known) return known;
  const block = key.length > BLOCK_BYTES ? sha256(key) : key;
  const begun = {
    inner: createHash("sha256").update(padded(block, 0x36)),
    outer: createHash("sha256").update(padded(block, 0x5c)),
  };
  beginnings.set(key, begun);
  return begun;
}

function padded(key: Uint8Array, pad: number): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES).fill(pad);
  for (let i = 0; i < key.length; i++) block[i] = key[i]! ^ pad;
  return block;
}
