/** Makes tokens, and what is kept of them. How their text reads is in `core/token.ts`. */
import { sha256, toHex } from "../core/digest.ts";
import type { Bytes } from "../core/digest.ts";
import { Secret } from "../core/secret.ts";
import { formatToken } from "../core/token.ts";
import type { IssuedToken } from "../core/token.ts";

export { formatToken, parseToken, sessionPsk } from "../core/token.ts";
export type { BroughtToken, IssuedToken } from "../core/token.ts";
export { Secret } from "../core/secret.ts";

/** A new token for the server with this public key. */
export function issueToken(serverKey: Bytes): IssuedToken & { readonly text: Secret<string> } {
  const token: IssuedToken = {
    type: "issued",
    id: toHex(crypto.getRandomValues(new Uint8Array(8))),
    serverKey,
    secret: new Secret(crypto.getRandomValues(new Uint8Array(32))),
  };
  return { ...token, text: new Secret(formatToken(token)) };
}

/** SHA-256 of the secret: what the store compares with. */
export function secretHash(secret: Secret<Bytes>): Bytes {
  return sha256(secret.reveal());
}
