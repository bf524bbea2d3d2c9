/** Names of entries, versions and namespaces that tell nothing without the sync domain's key. */
import type { Bytes } from "../core/digest.ts";
import { fromHex } from "../core/digest.ts";
import { cut } from "../core/slab.ts";
import { utf8 } from "../core/utf8.ts";
import type { EntryId, EntryKey, Stamp } from "../core/entry.ts";
import { hmacOfShort, hmacSha256 } from "./hmac.ts";

/** Keys of the sync domain: the same on every peer of it. */
export interface DomainKeys {
  /** K_idx, 32 bytes. */
  readonly indexKey: Bytes;
}

/** Bytes of a packed stamp. */
export const STAMP_BYTES = 52;

const NAMESPACE_LABEL = utf8("namespace");
const encoder = new TextEncoder();

/**
 * The id of an entry: HMAC-SHA-256(K_idx, parts), where the parts are namespace, scope, protocol
 * and key in UTF-8, each behind its length in bytes as a little-endian u32.
 */
export function entryId(keys: DomainKeys, key: EntryKey): EntryId {
  const parts = [key.namespace, key.scope, key.protocol, key.key];
  return hmacOfShort(keys.indexKey, (message, view) => {
    let at = 0;
    for (const part of parts) {
      // Three bytes a character are the most that UTF-8 needs.
      if (at + 4 + 3 * part.length > message.length) return undefined;
      const written = writeUtf8(part, message, at + 4);
      view.setUint32(at, written, true);
      at += 4 + written;
    }
    return at;
  }) ?? longEntryId(keys, parts);
}

/** Tells how many bytes it wrote. Most parts are ASCII, which needs neither a view nor the encoder. */
function writeUtf8(text: string, to: Uint8Array, at: number): number {
  for (let n = 0; n < text.length; n++) {
    const code = text.charCodeAt(n);
    if (code > 0x7f) return encoder.encodeInto(text, to.subarray(at)).written;
    to[at + n] = code;
  }
  return text.length;
}

function longEntryId(keys: DomainKeys, parts: readonly string[]): EntryId {
  return hmacSha256(
    keys.indexKey,
    ...parts.flatMap((part) => {
      const bytes = utf8(part);
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, bytes.length, true);
      return [length, bytes];
    }),
  );
}

/** Namespaces whose ids are remembered: each write to one asks for it. */
const MAX_KNOWN_NAMESPACES = 1024;
const namespaceIds = new WeakMap<Bytes, Map<string, Bytes>>();

/** The id of a namespace: HMAC-SHA-256(K_idx, "namespace" ‖ name), 32 bytes. Not to be changed. */
export function namespaceId(keys: DomainKeys, namespace: string): Bytes {
  let ids = namespaceIds.get(keys.indexKey);
  if (!ids) namespaceIds.set(keys.indexKey, ids = new Map());
  let id = ids.get(namespace);
  if (id) return id;
  id = hmacSha256(keys.indexKey, NAMESPACE_LABEL, utf8(namespace));
  if (ids.size >= MAX_KNOWN_NAMESPACES) ids.clear();
  ids.set(namespace, id);
  return id;
}

/** HMAC-SHA-256(K_idx, canonical plain bytes of the sealed part), 32 bytes. */
export function valueHash(keys: DomainKeys, plain: Uint8Array): Bytes {
  return hmacSha256(keys.indexKey, plain);
}

/**
 * The name of one version of an entry in summaries: the first 16 bytes of
 * HMAC-SHA-256(K_idx, entry id ‖ packed stamp).
 */
export function itemId(keys: DomainKeys, id: EntryId, stamp: Stamp): Bytes {
  return hmacSha256(keys.indexKey, id, encodeStamp(stamp)).slice(0, 16);
}

/**
 * The id of the chunk or recipe whose plain bytes hash to this SHA-256. A plain store uses the
 * hash itself; a store with keyed ids will derive them here.
 */
export function chunkIdOf(sha256: Bytes): Bytes {
  return sha256;
}

/**
 * A stamp as it stands in records and summaries, little-endian: epoch u32, hlc u64, device 8
 * bytes, value hash 32 bytes. Throws for a stamp whose fields do not fit.
 */
export function encodeStamp(stamp: Stamp): Bytes {
  const bytes = cut(STAMP_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, STAMP_BYTES);
  const device = fromHex(stamp.device);
  const hash = fromHex(stamp.valueHash);
  if (device.length !== 8 || hash.length !== 32 || !isU32(stamp.epoch) || !isU64(stamp.hlc)) {
    throw new RangeError("Cannot write the stamp: a field of it does not fit");
  }
  view.setUint32(0, stamp.epoch, true);
  view.setBigUint64(4, stamp.hlc, true);
  bytes.set(device, 12);
  bytes.set(hash, 20);
  return bytes;
}

/** The stamp that stands at `offset`; any 52 bytes are one. */
export function decodeStamp(bytes: Uint8Array, offset = 0): Stamp {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, STAMP_BYTES);
  return {
    epoch: view.getUint32(0, true),
    hlc: view.getBigUint64(4, true),
    device: bytes.subarray(offset + 12, offset + 20).toHex(),
    valueHash: bytes.subarray(offset + 20, offset + 52).toHex(),
  };
}

function isU32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}

function isU64(value: bigint): boolean {
  return BigInt.asUintN(64, value) === value;
}
