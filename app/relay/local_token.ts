/** The token of a relay: good on this machine while a command runs, and nowhere else. */
import { constantTimeEqual } from "../../core/constant_time.ts";
import { Secret } from "../../core/secret.ts";
import { formatToken, parseToken, toBase64Url } from "../../core/token.ts";
import { presented } from "../../auth/authenticate.ts";

const SECRET_BYTES = 32;

/**
 * Makes a token at random. It has the form of `real`, so that every tool takes it, and names the same
 * server, so that `exec` below `with` keys its facts as it does without.
 */
export function localToken(real: Secret<string>): Secret<string> {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  const token = parseToken(real.reveal());
  if (token?.type !== "issued") return new Secret(toBase64Url(bytes));
  const id = crypto.getRandomValues(new Uint8Array(8)).toHex();
  return new Secret(formatToken({ id, serverKey: token.serverKey, secret: new Secret(bytes) }));
}

/** Whether an Authorization header carries one of these tokens; in constant time for each. */
export function carries(header: string | null, tokens: readonly Secret<string>[]): boolean {
  const text = header === null ? undefined : presented(header);
  if (text === undefined) return false;
  const given = utf8.encode(text);
  let found = false;
  for (const token of tokens) {
    if (constantTimeEqual(given, utf8.encode(token.reveal()))) found = true;
  }
  return found;
}

const utf8 = new TextEncoder();
