/** X25519 (RFC 7748): key pairs that can agree on 32 bytes, and nothing else. */
import type { KeyObject } from "node:crypto";
import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } from "node:crypto";
import type { Bytes } from "./digest.ts";
import { fromBase64Url, toBase64Url } from "./token.ts";

/** Bytes of a private key, of a public one, and of what two of them agree on. */
export const X25519_BYTES = 32;

/** A key pair whose private half stays inside. */
export interface AgreementKey {
  /** 32 bytes. */
  readonly publicKey: Bytes;
  /** What this key and a peer's public key agree on, 32 bytes; `undefined` for one of low order. */
  agree(peer: Bytes): Bytes | undefined;
}

// RFC 8410: an X25519 private key in PKCS #8 is this prefix and 32 bytes.
const PKCS8_PREFIX = Uint8Array.fromHex("302e020100300506032b656e04220420");

/** A new key pair, at random. */
export function newAgreementKey(): AgreementKey {
  const { privateKey, publicKey } = generateKeyPairSync("x25519");
  return { publicKey: rawPublicKey(publicKey), agree: (peer) => agree(privateKey, peer) };
}

/** The key pair with this private half, 32 bytes. */
export function agreementKeyOf(privateBytes: Bytes): AgreementKey {
  const privateKey = importPrivate(privateBytes);
  return {
    publicKey: rawPublicKey(createPublicKey(privateKey)),
    agree: (peer) => agree(privateKey, peer),
  };
}

/** X25519; `undefined` for a public key of low order, with which nothing would be secret. */
export function agree(privateKey: KeyObject, peer: Bytes): Bytes | undefined {
  if (peer.length !== X25519_BYTES) {
    throw new RangeError(`Cannot agree with a public key of ${peer.length} bytes, want 32`);
  }
  try {
    const shared = new Uint8Array(diffieHellman({ privateKey, publicKey: publicKeyOf(peer) }));
    // OpenSSL looks for itself; another library below the same call might not.
    return allZero(shared) ? undefined : shared;
  } catch (thrown) {
    // OpenSSL fails the derivation when the result is all zero (RFC 7748, 6.1).
    if ((thrown as { code?: unknown }).code === "ERR_OSSL_FAILED_DURING_DERIVATION") {
      return undefined;
    }
    throw thrown;
  }
}

/** The 32 bytes of an X25519 public key. */
export function rawPublicKey(key: KeyObject): Bytes {
  return fromBase64Url(key.export({ format: "jwk" }).x ?? "");
}

/** Looks at every byte, whatever the ones before it were. */
function allZero(bytes: Uint8Array): boolean {
  let any = 0;
  for (const byte of bytes) any |= byte;
  return any === 0;
}

function publicKeyOf(raw: Bytes): KeyObject {
  const jwk = { kty: "OKP", crv: "X25519", x: toBase64Url(raw) };
  return createPublicKey({ key: jwk, format: "jwk" });
}

function importPrivate(bytes: Bytes): KeyObject {
  if (bytes.length !== X25519_BYTES) {
    throw new RangeError(`Cannot use a private key of ${bytes.length} bytes, want 32`);
  }
  const der = new Uint8Array(PKCS8_PREFIX.length + X25519_BYTES);
  der.set(PKCS8_PREFIX);
  der.set(bytes, PKCS8_PREFIX.length);
  return createPrivateKey({ key: der as unknown as never, format: "der", type: "pkcs8" });
}
