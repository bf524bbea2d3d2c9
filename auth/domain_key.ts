/**
 * The sync domain's key and this store's name in it, in `<dir>/domain.key`. Entry ids and value
 * hashes are made with it, so two stores that are to become equal must hold the same key.
 */
import { join } from "node:path";
import { toHex } from "../core/digest.ts";
import type { Bytes } from "../core/digest.ts";
import { openKeyFile } from "./key_file.ts";

/** What makes entry ids, and who stamps them. */
export interface DomainKey {
  /** K_idx, 32 bytes; secret, the same on every peer of the domain. */
  readonly indexKey: Bytes;
  /** 8 random bytes of this store as 16 hex digits; not secret, different on every peer. */
  readonly device: string;
}

const INDEX_KEY_BYTES = 32;
const DEVICE_BYTES = 8;

/**
 * Opens `<dir>/domain.key`, or makes it.
 * @throws {CacheError} `permission_denied` for a mode that lets others read, `corrupt`
 */
export function openDomainKey(dir: string): DomainKey {
  const bytes = openKeyFile(join(dir, "domain.key"), {
    what: "domain key",
    length: INDEX_KEY_BYTES + DEVICE_BYTES,
    make: () => crypto.getRandomValues(new Uint8Array(INDEX_KEY_BYTES + DEVICE_BYTES)),
  });
  return {
    indexKey: bytes.slice(0, INDEX_KEY_BYTES),
    device: toHex(bytes.subarray(INDEX_KEY_BYTES)),
  };
}
