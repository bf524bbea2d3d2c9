/** The server's static X25519 key pair: who the server is, in `<dir>/server.key`. */
import type { KeyObject } from "node:crypto";
import { createPrivateKey, createPublicKey, hkdfSync } from "node:crypto";
import { join } from "node:path";
import type { Bytes } from "../core/digest.ts";
import { agree, rawPublicKey } from "../core/identity.ts";
import { openKeyFile } from "./key_file.ts";

/** The server's key. The private half stays inside. */
export interface ServerKey {
  /** 32 bytes; stands in every token. */
  readonly publicKey: Bytes;
  /** X25519 with a peer's public key; `undefined` for one of low order. */
  agree(peer: Bytes): Bytes | undefined;
  /** A key of 32 bytes for one purpose, named by `label`: HKDF-SHA-256 of the private half. */
  derive(label: string): Bytes;
}

const KEY_BYTES = 32;
// RFC 8410: an X25519 private key in PKCS #8 is this prefix and 32 bytes.
const PKCS8_PREFIX = Uint8Array.fromHex("302e020100300506032b656e04220420");

/**
 * Opens `<dir>/server.key`, or makes it.
 * @throws {CacheError} `permission_denied` for a mode that lets others read, `corrupt`
 */
export function openServerKey(dir: string): ServerKey {
  const bytes = openKeyFile(join(dir, "server.key"), {
    what: "server key",
    length: KEY_BYTES,
    make: () => crypto.getRandomValues(new Uint8Array(KEY_BYTES)),
  });
  return serverKeyOf(bytes);
}

/** The key pair with this private half, 32 bytes. */
export function serverKeyOf(privateBytes: Bytes): ServerKey {
  const privateKey = importPrivate(privateBytes);
  return {
    publicKey: rawPublicKey(createPublicKey(privateKey)),
    agree: (peer) => agree(privateKey, peer),
    derive: (label) =>
      new Uint8Array(hkdfSync("sha256", privateBytes, new Uint8Array(0), label, KEY_BYTES)),
  };
}

function importPrivate(bytes: Bytes): KeyObject {
  const der = new Uint8Array(PKCS8_PREFIX.length + KEY_BYTES);
  der.set(PKCS8_PREFIX);
  der.set(bytes, PKCS8_PREFIX.length);
  return createPrivateKey({ key: der as unknown as never, format: "der", type: "pkcs8" });
}
