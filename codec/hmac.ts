/** HMAC-SHA-256, RFC 2104, by two plain hashes. */
import { createHash, hash } from "node:crypto";
import type { Bytes } from "../core/digest.ts";
import { fromHex, sha256 } from "../core/digest.ts";

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
/** Bytes of a message that is put together in memory that is kept. */
const SHORT_BYTES = 2048;

/** Where the two hashes of a key are made; a call is over before the next one begins. */
interface Desk {
  /** The key's inner block, and room for a message behind it. */
  readonly inner: Bytes;
  /** Its outer block, and room for the inner hash. */
  readonly outer: Bytes;
  /** That room. */
  readonly innerHash: Bytes;
  /** The room for a message. */
  readonly message: Bytes;
  readonly view: DataView;
}

/** Of keys that are in use: their bytes never change. */
const DESKS = new WeakMap<Uint8Array, Desk>();

/**
 * HMAC-SHA-256 of the parts, one behind the other: 32 bytes. Made of two hashes with hex between,
 * in memory that is kept: `createHmac` of this runtime takes ten times as long, each new array a
 * microsecond, and an index rebuild makes millions.
 */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  const { inner } = deskOf(key);
  let end = BLOCK_BYTES;
  for (const part of parts) {
    if (end + part.length > inner.length) return longHmac(deskOf(key), parts);
    inner.set(part, end);
    end += part.length;
  }
  return finish(deskOf(key), end - BLOCK_BYTES);
}

/**
 * As {@linkcode hmacSha256}, of a message that `write` puts into the array it is given, telling its
 * length; `undefined`: the array is too short for it.
 */
export function hmacOfShort(
  key: Uint8Array,
  write: (message: Bytes, view: DataView) => number | undefined,
): Bytes | undefined {
  const desk = deskOf(key);
  const length = write(desk.message, desk.view);
  return length === undefined ? undefined : finish(desk, length);
}

function finish({ inner, outer, innerHash }: Desk, length: number): Bytes {
  innerHash.setFromHex(hash("sha256", inner.subarray(0, BLOCK_BYTES + length), "hex"));
  return fromHex(hash("sha256", outer, "hex"));
}

function longHmac({ inner, outer }: Desk, parts: readonly Uint8Array[]): Bytes {
  const first = createHash("sha256").update(inner.subarray(0, BLOCK_BYTES));
  for (const part of parts) first.update(part);
  outer.set(fromHex(first.digest("hex")), BLOCK_BYTES);
  return fromHex(hash("sha256", outer, "hex"));
}

function deskOf(key: Uint8Array): Desk {
  const known = DESKS.get(key);
  if (known) return known;
  const block = key.length > BLOCK_BYTES ? sha256(key) : key;
  const inner = padded(block, { pad: 0x36, room: SHORT_BYTES });
  const outer = padded(block, { pad: 0x5c, room: HASH_BYTES });
  const message = inner.subarray(BLOCK_BYTES);
  const desk = {
    inner,
    outer,
    innerHash: outer.subarray(BLOCK_BYTES),
    message,
    view: new DataView(message.buffer, BLOCK_BYTES),
  };
  DESKS.set(key, desk);
  return desk;
}

function padded(key: Uint8Array, { pad, room }: { pad: number; room: number }): Bytes {
  const block = new Uint8Array(BLOCK_BYTES + room).fill(pad, 0, BLOCK_BYTES);
  for (let i = 0; i < key.length; i++) block[i] = key[i]! ^ pad;
  return block;
}
