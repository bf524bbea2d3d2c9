/** HMAC-SHA-256 (RFC 2104) with a key that is used over and over. */
import { createHmac } from "node:crypto";
import type { Bytes } from "../core/digest.ts";

/** HMAC-SHA-256 of the parts, one behind the other: 32 bytes. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return new Uint8Array(hmac.digest());
}
