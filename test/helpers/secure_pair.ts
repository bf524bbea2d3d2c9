/** Two secure ends over any two ends, after a whole handshake. */
import type { Clock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import { Secret } from "../../core/secret.ts";
import type { IssuedToken } from "../../core/token.ts";
import { sessionPsk } from "../../core/token.ts";
import type { Transport } from "../../core/transport.ts";
import { newAgreementKey } from "../../core/x25519.ts";
import { sessionCredentials } from "../../sync/credentials.ts";
import type { RekeyOptions } from "../../sync/noise/channel.ts";
import { NKPSK0 } from "../../sync/noise/patterns.ts";
import type { AnswerOptions } from "../../sync/secure_handshake.ts";
import { beginSession, readOpening } from "../../sync/secure_handshake.ts";
import type { SecureTransport } from "../../sync/secure_transport.ts";

/** The server's key, and a token of it. */
export const SERVER_KEY = newAgreementKey();
export const TOKEN: IssuedToken = {
  type: "issued",
  id: "0123456789abcdef",
  serverKey: SERVER_KEY.publicKey,
  secret: new Secret(crypto.getRandomValues(new Uint8Array(32))),
};
export const REQUEST = {
  version: 1,
  capabilities: ["zstd", "pack"],
  host: "cache.example:8080",
  path: "/v1/session",
};
export const ANSWER: AnswerOptions = {
  pattern: NKPSK0,
  psk: new Secret(sessionPsk(TOKEN.secret)),
  serverKey: SERVER_KEY,
  request: { ...REQUEST, tokenId: TOKEN.id },
};

/** Message 1, its end on the client's side, and what the client says in it. */
export function begin(hello: Bytes = new Uint8Array([1])) {
  return beginSession({ credentials: sessionCredentials(TOKEN), request: REQUEST, hello });
}

/** Client and server over these two ends. */
export async function securePair(
  [a, b]: readonly [Transport, Transport],
  time: { clock: Clock; rekey?: RekeyOptions },
): Promise<[SecureTransport, SecureTransport]> {
  const opening = await begin();
  const offer = await readOpening(opening.first, ANSWER);
  const [{ transport }, server] = await Promise.all([
    opening.finish(a, time),
    offer.accept(b, new Uint8Array([2]), time),
  ]);
  return [transport, server];
}
