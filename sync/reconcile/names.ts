/** Short names of digests and items, which a peer that chose the items could not foresee. */
import { hash } from "node:crypto";
import type { Bytes } from "../../core/digest.ts";
import { ITEM_BYTES } from "../../core/summary/item.ts";
import { widthsOf } from "./messages.ts";
import type { Exactness } from "./messages.ts";

/** Bytes of a salt, at least; a session's handshake hash has 32. */
export const SALT_BYTES = 16;

/** Names of one comparison. */
export interface ShortNames {
  readonly exactness: Exactness;
  /** SHA-256(salt ‖ digest)[0..8]; in an exact comparison the digest. */
  digest(digest: Bytes): Bytes;
  /** SHA-256(salt ‖ id)[0..6] as hex; in an exact comparison the id. */
  tag(id: Uint8Array): string;
}

/** Makes the names. Throws `RangeError` for a salt that is too short. */
export function shortNames(salt: Uint8Array, exactness: Exactness): ShortNames {
  if (salt.length < SALT_BYTES) {
    throw new RangeError(`Cannot compare: the salt has ${salt.length} bytes, want ${SALT_BYTES}`);
  }
  if (exactness !== "short") return { exactness, digest: (it) => it, tag: (id) => id.toHex() };
  const widths = widthsOf(exactness);
  const text = new Uint8Array(salt.length + 32);
  text.set(salt);

  function salted(bytes: Uint8Array, width: number): string {
    text.set(bytes, salt.length);
    const whole = text.subarray(0, salt.length + bytes.length);
    return hash("sha256", whole, "hex").slice(0, 2 * width);
  }

  return {
    exactness,
    digest: (digest) => Uint8Array.fromHex(salted(digest, widths.digest)) as Bytes,
    tag: (id) => salted(id, widths.tag),
  };
}

/** Items under one name, each packed: nearly always one. */
export type NamedItems = Map<string, Bytes>;

/** Packed ids by their names, in order of the names. */
export function nameItems(ids: Bytes, nameOf: (id: Uint8Array) => string): NamedItems {
  const named: [string, Bytes][] = [];
  for (let at = 0; at < ids.length; at += ITEM_BYTES) {
    const id = ids.subarray(at, at + ITEM_BYTES);
    named.push([nameOf(id), id]);
  }
  named.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  const items: NamedItems = new Map();
  for (const [name, id] of named) {
    const same = items.get(name);
    items.set(name, same ? new Uint8Array([...same, ...id]) : id);
  }
  return items;
}
