/** The server's side of the identity proof; the construction stands in `core/identity.ts`. */
import { CacheError } from "../core/errors.ts";
import type { IdentityAnswer } from "../core/identity.ts";
import { identityProof, nonceKey, parseNonce } from "../core/identity.ts";
import { toBase64Url } from "../core/token.ts";
import type { ServerKey } from "./server_key.ts";

export { createChallenge, verifyAnswer } from "../core/identity.ts";
export type { IdentityAnswer, IdentityChallenge } from "../core/identity.ts";

/** What `GET /v1/identity` asks. */
export interface IdentityQuestion {
  /** The query parameter as it came. */
  readonly nonce: string;
  /** The Host header as it came. */
  readonly host: string;
}

/**
 * Proves that this server holds its static key, over the nonce and the Host it saw.
 * @throws {CacheError} `invalid_argument` for a nonce that is none
 */
export function answerChallenge(key: ServerKey, question: IdentityQuestion): IdentityAnswer {
  const nonce = parseNonce(question.nonce);
  const shared = nonce ? key.agree(nonceKey(nonce)) : undefined;
  if (!nonce || !shared) {
    throw new CacheError(
      "invalid_argument",
      "Cannot prove the identity: bad nonce, want base64url of an X25519 public key and at least 16 random bytes",
      { operation: "identity.answer" },
    );
  }
  const host = question.host.toLowerCase();
  const proof = identityProof(shared, { nonce, host, serverKey: key.publicKey });
  return { server_key: toBase64Url(key.publicKey), host, proof: toBase64Url(proof) };
}
