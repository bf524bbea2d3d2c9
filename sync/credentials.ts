/** What a token gives to open a session with: whom to expect, and a key that both sides know. */
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { BroughtToken, IssuedToken } from "../core/token.ts";
import { sessionPsk } from "../core/token.ts";
import type { NoisePattern, PatternOptions } from "./noise/patterns.ts";
import { NKPSK0, NNPSK0 } from "./noise/patterns.ts";

/** The client's side of a handshake. The secret of the token is not in it. */
export interface SessionCredentials {
  readonly tokenId: string;
  readonly pattern: NoisePattern;
  /** 32 bytes. */
  readonly psk: Secret<Bytes>;
  /** The only server that can answer; `undefined` with {@linkcode NNPSK0}. 32 bytes. */
  readonly serverKey: Bytes | undefined;
}

/**
 * What this token opens sessions with. A token that names its server is never used without that.
 * @throws {CacheError} `unauthenticated` for a token that names none, unless that is allowed
 */
export function sessionCredentials(
  token: IssuedToken | BroughtToken,
  { insecureNoServerKey = false }: PatternOptions = {},
): SessionCredentials {
  const { id: tokenId, secret } = token;
  const psk = new Secret(sessionPsk(secret));
  if (token.type === "issued") {
    return { tokenId, pattern: NKPSK0, psk, serverKey: token.serverKey };
  }
  if (insecureNoServerKey) return { tokenId, pattern: NNPSK0, psk, serverKey: undefined };
  throw new CacheError(
    "unauthenticated",
    "Cannot open a session: the token names no server, want one that the server made",
    {
      operation: "session.open",
      hint: "make one with `token create`, or trust any server that knows this token's secret " +
        "with --insecure-no-server-key",
    },
  );
}
