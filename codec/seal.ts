/** The seal of what a record says in private: names, keys, digests. */
import type { Bytes } from "../core/digest.ts";

/** Makes bytes unreadable without a key, and proves that nobody changed them. */
export interface Seal {
  /** `aad` is bound to the result but not part of it. */
  seal(plain: Bytes, aad: Uint8Array): Bytes;
  /** @throws {CacheError} `corrupt` when `sealed` or `aad` is not what was sealed */
  open(sealed: Bytes, aad: Uint8Array): Bytes;
}

/** The seal of a store without encryption: the bytes as they are. */
export const noSeal: Seal = {
  seal: (plain) => plain,
  open: (sealed) => sealed,
};
