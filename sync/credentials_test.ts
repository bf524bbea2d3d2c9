import assert from "node:assert/strict";
import { isKind } from "../core/errors.ts";
import { parseToken, sessionPsk } from "../core/token.ts";
import { TOKEN } from "../test/helpers/secure_pair.ts";
import { sessionCredentials } from "./credentials.ts";
import { NKPSK0, NNPSK0, patternOffered } from "./noise/patterns.ts";

const BROUGHT = parseToken("x".repeat(40))!;

Deno.test("sessionCredentials() never leaves out the server that a token names", () => {
  for (const insecureNoServerKey of [false, true]) {
    const { pattern, serverKey, psk } = sessionCredentials(TOKEN, { insecureNoServerKey });
    assert.equal(pattern, NKPSK0);
    assert.deepEqual(serverKey, TOKEN.serverKey);
    assert.deepEqual(psk.reveal(), sessionPsk(TOKEN.secret));
  }
});

Deno.test("sessionCredentials() takes a token that names no server only where that is allowed", () => {
  assert.throws(() => sessionCredentials(BROUGHT), (thrown) => isKind(thrown, "unauthenticated"));
  const { pattern, serverKey } = sessionCredentials(BROUGHT, { insecureNoServerKey: true });
  assert.equal(pattern, NNPSK0);
  assert.equal(serverKey, undefined);
});

Deno.test("patternOffered() has NNpsk0 only where that is allowed, and nothing else ever", () => {
  assert.equal(patternOffered("NKpsk0"), NKPSK0);
  assert.equal(patternOffered("NNpsk0"), undefined);
  assert.equal(patternOffered("NNpsk0", { insecureNoServerKey: true }), NNPSK0);
  for (const name of ["", "NN", "NK", "XXpsk3", "nkpsk0"]) {
    assert.equal(patternOffered(name, { insecureNoServerKey: true }), undefined);
  }
});
