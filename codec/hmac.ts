/** HMAC-SHA-256, RFC 2104, by two plain hashes. */
import { createHash, hash } from "node:crypto";
import type { Bytes } from "../core/digest.ts";
import { fromHex, sha256 } from "../core/digest.ts";
import type { HashState } from "./sha256_block.ts";
import {
  addBlock,
  BLOCK_BYTES,
  copyState,
  endMessage,
  firstState,
  paddedLength,
  writeState,
} from "./sha256_block.ts";

const HASH_BYTES = 32;
/** Bytes of a message that is put together in memory that is kept. */
const SHORT_BYTES = 2048;
/** Bytes of a message that is hashed here: of a longer one the runtime is quicker. */
const OWN_BYTES = 4 * BLOCK_BYTES;

/** Where the two hashes of a key are made; a call is over before the next one begins. */
interface Desk {
  /** The key's inner block, and room for a message behind it. */
  readonly inner: Bytes;
  /** Only the room: what it holds is overwritten by each call. */
  readonly message: Bytes;
  readonly view: DataView;
  /** Room for the inner hash and its padding. */
  readonly outerRoom: Bytes;
  /** What the two blocks of the key make of a hash: the same each time. */
  readonly innerState: HashState;
  readonly outerState: HashState;
}

const state = firstState();

/** Of keys that are in use: their bytes never change. */
const DESKS = new WeakMap<Uint8Array, Desk>();

/**
 * HMAC-SHA-256 of the parts, one behind the other: 32 bytes. Made of two hashes, in memory that is
 * kept: `createHmac` of this runtime takes twenty times as long, and an index rebuild makes millions.
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

function finish(desk: Desk, length: number): Bytes {
  const { inner, message, innerState, outerRoom } = desk;
  if (length <= OWN_BYTES) {
    copyState(innerState, state);
    endMessage(state, message, { before: BLOCK_BYTES, length });
    writeState(state, outerRoom);
  } else {
    outerRoom.set(fromHex(hash("sha256", inner.subarray(0, BLOCK_BYTES + length), "hex")));
  }
  return ended(desk);
}

function longHmac(desk: Desk, parts: readonly Uint8Array[]): Bytes {
  const { inner, outerRoom } = desk;
  const first = createHash("sha256").update(inner.subarray(0, BLOCK_BYTES));
  for (const part of parts) first.update(part);
  outerRoom.set(fromHex(first.digest("hex")));
  return ended(desk);
}

/** The outer hash, of the inner one that is in its room. */
function ended({ outerRoom, outerState }: Desk): Bytes {
  copyState(outerState, state);
  endMessage(state, outerRoom, { before: BLOCK_BYTES, length: HASH_BYTES });
  const mac = new Uint8Array(HASH_BYTES);
  writeState(state, mac);
  return mac;
}

function deskOf(key: Uint8Array): Desk {
  const known = DESKS.get(key);
  if (known) return known;
  const block = key.length > BLOCK_BYTES ? sha256(key) : key;
  const inner = padded(block, { pad: 0x36, room: SHORT_BYTES });
  const outer = padded(block, { pad: 0x5c, room: paddedLength(HASH_BYTES) });
  const desk: Desk = {
    inner,
    message: inner.subarray(BLOCK_BYTES),
    view: new DataView(inner.buffer, BLOCK_BYTES),
    outerRoom: outer.subarray(BLOCK_BYTES),
    innerState: after(inner),
    outerState: after(outer),
  };
  DESKS.set(key, desk);
  return desk;
}

/** The state behind the first block. */
function after(bytes: Bytes): HashState {
  const state = firstState();
  addBlock(state, bytes, 0);
  return state;
}

function padded(key: Uint8Array, { pad, room }: { pad: number; room: number }): Bytes {
  const block = new Uint8Array(BLOCK_BYTES + room).fill(pad, 0, BLOCK_BYTES);
  for (let i = 0; i < key.length; i++) block[i] = key[i]! ^ pad;
  return block;
}
