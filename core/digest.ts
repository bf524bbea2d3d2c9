/** Digests: the name of a blob, `sha256-<hex>` of its plain bytes. */
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { CacheError } from "./errors.ts";

/** `sha256-` and 64 lowercase hex digits. A primitive, so it can be compared and be a map key. */
export type Digest = string & { readonly __digest: true };

/** Raw bytes that own their memory, as WebCrypto and `postMessage` transfers want them. */
export type Bytes = Uint8Array<ArrayBuffer>;

const HEX = /^[0-9a-f]{64}$/;

/** The digest of zero bytes: it is never stored and never missing. */
export const EMPTY_DIGEST =
  "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" as Digest;

/**
 * Reads `sha256-<hex>` or bare hex.
 * @throws {CacheError} `invalid_argument` for anything else
 */
export function parseDigest(text: string): Digest {
  const hex = text.startsWith("sha256-") ? text.slice(7) : text;
  if (!HEX.test(hex)) {
    throw new CacheError(
      "invalid_argument",
      `Cannot read digest "${text.slice(0, 80)}": want 64 lowercase hex digits`,
      { operation: "digest.parse" },
    );
  }
  return `sha256-${hex}` as Digest;
}

/** The 64 hex digits alone. */
export function digestHex(digest: Digest): string {
  return digest.slice(7);
}

/** The digest that was read last: what is written names its blob several times in a row. */
let lastRead: { readonly digest: Digest; readonly bytes: Bytes } | undefined;

/** The digest as its 32 bytes. Not to be changed or transferred. */
export function digestBytes(digest: Digest): Bytes {
  if (lastRead?.digest === digest) return lastRead.bytes;
  const bytes = fromHex(digestHex(digest));
  lastRead = { digest, bytes };
  return bytes;
}

/** The digest with these 32 bytes. */
export function digestFromBytes(bytes: Uint8Array): Digest {
  if (bytes.length !== 32) throw new RangeError(`Cannot make a digest of ${bytes.length} bytes`);
  return `sha256-${toHex(bytes)}` as Digest;
}

/** The digest of these bytes. */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256-${hexHash(bytes)}` as Digest;
}

/** A hash of nothing: to copy it costs a quarter of a new one. */
let blank: Hash | undefined;

/** SHA-256 of these bytes, 32 bytes. */
export function sha256(bytes: Uint8Array): Bytes {
  return fromHex(hexHash(bytes));
}

/** As text: a hash that is handed over as bytes costs more than to hash 1 KiB. */
function hexHash(bytes: Uint8Array): string {
  blank ??= createHash("sha256");
  return blank.copy().update(bytes).digest("hex");
}

/** Lowercase hex. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** Bytes of lowercase or uppercase hex; throws `SyntaxError` on anything else. */
export function fromHex(hex: string): Bytes {
  return Uint8Array.fromHex(hex) as Bytes;
}
