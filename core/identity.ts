/**
 * Proof that a server holds the static key that a token names, asked before the token is sent.
 *
 * X25519 can agree on a key but not sign, so the challenge carries one half of an agreement:
 *
 * ```
 * nonce = e (the client's ephemeral public key, 32 bytes) ‖ at least 16 random bytes
 * k     = HKDF-SHA-256(ikm: X25519(e, server key), salt: e ‖ server key, info: "vitte identity v1")
 * proof = HMAC-SHA-256(k, "vitte identity v1" ‖ len32 nonce ‖ len32 host ‖ server key)
 * ```
 *
 * Only the holders of one of the two private keys can make it. It binds the Host that the server
 * saw; it does not bind the connection, so a relay in the middle of plain HTTP can pass it on.
 */
import type { KeyObject } from "node:crypto";
import { createHmac, generateKeyPairSync, hkdfSync } from "node:crypto";
import { concat } from "./bytes.ts";
import { constantTimeEqual } from "./constant_time.ts";
import type { Bytes } from "./digest.ts";
import { Secret } from "./secret.ts";
import { fromBase64Url, toBase64Url } from "./token.ts";
import { agree, rawPublicKey } from "./x25519.ts";

const LABEL = "vitte identity v1";
const KEY_BYTES = 32;
const NONCE_RANDOM_BYTES = 16;
const MAX_NONCE_BYTES = 128;
const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** The answer to `GET /v1/identity`, as its JSON has it. */
export interface IdentityAnswer {
  /** The server's static X25519 public key, base64url. */
  readonly server_key: string;
  /** The Host that the server saw. */
  readonly host: string;
  /** 32 bytes, base64url. */
  readonly proof: string;
}

/** A question that is asked once. */
export interface IdentityChallenge {
  /** For the query, base64url. */
  readonly nonce: string;
  readonly serverKey: Bytes;
  readonly ephemeral: Secret<KeyObject>;
}

/** What {@linkcode identityProof} runs over. */
export interface IdentityFacts {
  readonly nonce: Bytes;
  readonly host: string;
  readonly serverKey: Bytes;
}

/** Begins the question whether somebody holds the private half of `serverKey`. */
export function createChallenge(serverKey: Bytes): IdentityChallenge {
  const pair = generateKeyPairSync("x25519");
  const random = crypto.getRandomValues(new Uint8Array(NONCE_RANDOM_BYTES));
  const nonce = concat([rawPublicKey(pair.publicKey), random]);
  return { nonce: toBase64Url(nonce), serverKey, ephemeral: new Secret(pair.privateKey) };
}

/** Whether the answer proves the key for this host (`URL.host`: the default port is left out). */
export function verifyAnswer(
  challenge: IdentityChallenge,
  host: string,
  answer: IdentityAnswer,
): boolean {
  const nonce = parseNonce(challenge.nonce);
  if (!nonce || answer.host !== host || answer.server_key !== toBase64Url(challenge.serverKey)) {
    return false;
  }
  if (!BASE64URL.test(answer.proof) || answer.proof.length !== 43) return false;
  const shared = agree(challenge.ephemeral.reveal(), challenge.serverKey);
  if (!shared) return false;
  const want = identityProof(shared, { nonce, host, serverKey: challenge.serverKey });
  return constantTimeEqual(want, fromBase64Url(answer.proof));
}

/** The bytes of a nonce, `undefined` if it is none. */
export function parseNonce(text: string): Bytes | undefined {
  if (!BASE64URL.test(text) || text.length > 2 * MAX_NONCE_BYTES || text.length % 4 === 1) {
    return undefined;
  }
  const bytes = fromBase64Url(text);
  const least = KEY_BYTES + NONCE_RANDOM_BYTES;
  return bytes.length < least || bytes.length > MAX_NONCE_BYTES ? undefined : bytes;
}

/** The client's half of a nonce. */
export function nonceKey(nonce: Bytes): Bytes {
  return nonce.subarray(0, KEY_BYTES);
}

/** The proof over `facts`, given what both sides agreed on. */
export function identityProof(shared: Bytes, facts: IdentityFacts): Bytes {
  const salt = concat([nonceKey(facts.nonce), facts.serverKey]);
  const key = new Uint8Array(hkdfSync("sha256", shared, salt, LABEL, 32));
  const host = new TextEncoder().encode(facts.host);
  const mac = createHmac("sha256", key).update(LABEL);
  for (const part of [facts.nonce, host]) mac.update(length32(part.length)).update(part);
  return new Uint8Array(mac.update(facts.serverKey).digest());
}

function length32(length: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}
