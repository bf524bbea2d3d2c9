/**
 * Seals what `auth.sqlite` must be able to give back, so that a copy of that file alone opens no
 * session: AES-256-GCM, `nonce: 12 ‖ ciphertext ‖ tag: 16`, the token's id as additional data.
 * Nonces are random: a store seals a few thousand keys in its life, far below 2^32.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { concat } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import type { ServerKey } from "./server_key.ts";

const LABEL = "vitte psk seal v1";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals and opens under a key derived from the server's. */
export interface Sealer {
  seal(plain: Bytes, tokenId: string): Bytes;
  /** @throws {CacheError} `corrupt` when key, bytes or id are not those of the sealing */
  open(sealed: Uint8Array, tokenId: string): Bytes;
}

/** A sealer under `serverKey`. */
export function createSealer(serverKey: ServerKey): Sealer {
  const key = serverKey.derive(LABEL);
  const dataOf = (tokenId: string) => new TextEncoder().encode(tokenId);
  return {
    seal(plain, tokenId) {
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(dataOf(tokenId));
      return concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, tokenId) {
      if (sealed.length < NONCE_BYTES + TAG_BYTES) throw unsealable(tokenId);
      const end = sealed.length - TAG_BYTES;
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES))
        .setAAD(dataOf(tokenId)).setAuthTag(sealed.subarray(end));
      try {
        return concat([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()]);
      } catch (thrown) {
        throw unsealable(tokenId, thrown);
      }
    },
  };
}

function unsealable(tokenId: string, cause?: unknown): CacheError {
  return new CacheError(
    "corrupt",
    `Cannot open the session key of token ${tokenId}: it was sealed with another server key or damaged`,
    { operation: "auth.open", cause },
  );
}
