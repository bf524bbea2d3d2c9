/** The server's static X25519 key pair: who the server is, in `<dir>/server.key`. */
import { hkdfSync } from "node:crypto";
import { join } from "node:path";
import type { Bytes } from "../core/digest.ts";
import type { AgreementKey } from "../core/x25519.ts";
import { agreementKeyOf } from "../core/x25519.ts";
import { openKeyFile } from "./key_file.ts";

/** The server's key; its public half stands in every token. The private half stays inside. */
export interface ServerKey extends AgreementKey {
  /** A key of 32 bytes for one purpose, named by `label`: HKDF-SHA-256 of the private half. */
  derive(label: string): Bytes;
}

const KEY_BYTES = 32;

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
  return {
    ...agreementKeyOf(privateBytes),
    derive: (label) =>
      new Uint8Array(hkdfSync("sha256", privateBytes, new Uint8Array(0), label, KEY_BYTES)),
  };
}
