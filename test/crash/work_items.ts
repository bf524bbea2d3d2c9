/** What a worker writes, so that whoever checks can make the same again. */
import { digestOf } from "../../core/digest.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import type { EntryKey } from "../../core/entry.ts";
import type { TokenRights } from "../../core/token_admin.ts";

/** Milliseconds that the clock of a worker is ahead for each change before its first. */
export const CLOCK_STEP_MS = 60_000;

/** Rights of the tokens that a worker makes. */
export const ADMIN_RIGHTS: TokenRights = {
  verbs: ["read"],
  namespaces: ["default"],
  scope: "main",
  readScopes: ["main"],
  expires: undefined,
};

/** The entry of a key. */
export function keyOf(key: string): EntryKey {
  return { namespace: "default", scope: "main", protocol: "kv", key };
}

/** The body that change number `id` writes; does not compress, begins with the number. */
export function bodyOf(id: number, size: number): Bytes {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = (id + 1) * 2654435761 % 4294967296 || 1;
  // xorshift32
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer).slice(0, size);
}

const digests = new Map<string, Digest>();

/** The digest of that body; each is made once. */
export function digestOfBody(id: number, size: number): Digest {
  const name = `${id} ${size}`;
  let digest = digests.get(name);
  if (digest === undefined) digests.set(name, digest = digestOf(bodyOf(id, size)));
  return digest;
}
