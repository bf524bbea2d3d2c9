import assert from "node:assert/strict";
import fc from "fast-check";
import { fromBase64Url, toBase64Url } from "../core/token.ts";
import { isKind } from "../core/errors.ts";
import { answerChallenge, createChallenge, verifyAnswer } from "./identity.ts";
import { serverKeyOf } from "./server_key.ts";

const key = serverKeyOf(new Uint8Array(32).fill(7));
const host = "cache.example:8080";

Deno.test("verifyAnswer() takes the proof of the server that the token names", () => {
  const challenge = createChallenge(key.publicKey);
  const answer = answerChallenge(key, { nonce: challenge.nonce, host });
  assert.equal(verifyAnswer(challenge, host, answer), true);
  assert.equal(answer.server_key, toBase64Url(key.publicKey));
});

Deno.test("verifyAnswer() refuses another server, another host, another nonce", () => {
  const other = serverKeyOf(new Uint8Array(32).fill(8));
  const challenge = createChallenge(key.publicKey);
  const answer = answerChallenge(key, { nonce: challenge.nonce, host });
  const foreign = answerChallenge(other, { nonce: challenge.nonce, host });
  assert.equal(verifyAnswer(challenge, host, foreign), false);
  assert.equal(verifyAnswer(challenge, host, { ...foreign, server_key: answer.server_key }), false);
  assert.equal(verifyAnswer(challenge, "evil.example", answer), false);
  assert.equal(verifyAnswer(challenge, host, { ...answer, host: "evil.example" }), false);
  assert.equal(verifyAnswer(challenge, "evil.example", { ...answer, host: "evil.example" }), false);
  assert.equal(verifyAnswer(createChallenge(key.publicKey), host, answer), false);
});

Deno.test("verifyAnswer() refuses a proof with any one bit changed", () => {
  const challenge = createChallenge(key.publicKey);
  const answer = answerChallenge(key, { nonce: challenge.nonce, host });
  fc.assert(fc.property(fc.nat(255), (bit) => {
    const proof = fromBase64Url(answer.proof);
    const at = Math.floor(bit / 8);
    proof[at] = proof[at]! ^ (1 << (bit % 8));
    assert.equal(verifyAnswer(challenge, host, { ...answer, proof: toBase64Url(proof) }), false);
  }));
  for (const proof of ["", "A", "é".repeat(43), "A".repeat(44), "A".repeat(43)]) {
    assert.equal(verifyAnswer(challenge, host, { ...answer, proof }), false);
  }
});

Deno.test("answerChallenge() refuses nonces that are short, long, no base64url, or of low order", () => {
  const bad = [
    "",
    "!!",
    "A".repeat(5),
    toBase64Url(new Uint8Array(47).fill(9)),
    toBase64Url(new Uint8Array(129).fill(9)),
    // Zero and one are points of low order: the agreement would be no secret.
    toBase64Url(new Uint8Array(48)),
    toBase64Url(Uint8Array.from({ length: 48 }, (_, i) => i === 0 ? 1 : 0)),
    "A".repeat(100_000),
  ];
  for (const nonce of bad) {
    assert.throws(
      () => answerChallenge(key, { nonce, host }),
      (thrown) => isKind(thrown, "invalid_argument"),
      nonce.slice(0, 80),
    );
  }
});

Deno.test("answerChallenge() reads Host without regard to case", () => {
  const challenge = createChallenge(key.publicKey);
  const answer = answerChallenge(key, { nonce: challenge.nonce, host: "Cache.Example:8080" });
  assert.equal(verifyAnswer(challenge, host, answer), true);
});

Deno.test("serverKeyOf() derives the public key of RFC 7748, 6.1", () => {
  const bob = serverKeyOf(
    Uint8Array.fromHex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"),
  );
  assert.equal(
    bob.publicKey.toHex(),
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
  );
  const shared = bob.agree(
    Uint8Array.fromHex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"),
  );
  assert.equal(
    shared?.toHex(),
    "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
  );
});
