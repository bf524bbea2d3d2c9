/** Who is it: from the Authorization header to a principal, about a tenth of a microsecond warm. */
import { equalBytes } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { constantTimeEqual } from "../core/constant_time.ts";
import type { Counters } from "../core/counters.ts";
import type { Bytes } from "../core/digest.ts";
import { TOKEN_CACHE_ENTRIES, TOKEN_TOUCH_MS } from "../core/limits.ts";
import type { Principal } from "../core/policy.ts";
import { parseToken } from "../core/token.ts";
import { secretHash } from "./token.ts";
import type { TokenStore } from "./token_store.ts";

/** Who it is, or why nobody knows. The names of ended tokens are for the log, not for the answer. */
export type Authentication =
  | { readonly principal: Principal }
  | { readonly failure: "missing" | "malformed" | "unknown" }
  | { readonly failure: "expired" | "revoked"; readonly id: string; readonly name: string };

/** Answers who sent a request. One a thread. */
export interface Authenticator {
  /** From the value of the Authorization header, `null` or `undefined` if there was none. */
  authenticate(authorization: string | null | undefined): Authentication;
}

/** What an authenticator is made of. */
export interface AuthenticatorOptions {
  readonly store: Pick<TokenStore, "find" | "touch">;
  readonly clock: Clock;
  readonly counters: Counters;
  /** This server's public key: a token that names another one is not ours, whatever its secret. */
  readonly serverKey?: Bytes | undefined;
}

interface Known {
  readonly result: { readonly principal: Principal };
  readonly expires: number;
  touched: number;
}

const MAX_HEADER_CHARACTERS = 8 * 1024;
const WRONG = { failure: "unknown" } as const;
const NO_HASH = new Uint8Array(32);

/**
 * Makes the authenticator of one thread. Tokens that were good are remembered by the whole header
 * (V8 seeds the hashes of its map keys, so a look-up does not tell how much of a guess was right);
 * all others are looked up each time, so that a flood of bad ones fills no memory.
 */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { clock, counters } = options;
  const known = new Map<string, Known>();
  let generation = counters.get("revocation_generation");

  function authenticate(authorization: string | null | undefined): Authentication {
    if (!authorization) return { failure: "missing" };
    // Read before the store is: what a revocation overtakes is dropped by the next request.
    const current = counters.get("revocation_generation");
    if (current !== generation) {
      known.clear();
      generation = current;
    }
    const now = clock.now();
    const hit = known.get(authorization);
    if (!hit || now >= hit.expires) return look(authorization, now);
    if (now - hit.touched >= TOKEN_TOUCH_MS) touch(hit, now);
    return hit.result;
  }

  function look(authorization: string, now: number): Authentication {
    known.delete(authorization);
    const text = presented(authorization);
    const token = text === undefined ? undefined : parseToken(text);
    if (!token) return { failure: "malformed" };
    const { serverKey } = options;
    if (serverKey && token.type === "issued" && !equalBytes(token.serverKey, serverKey)) {
      return WRONG;
    }
    const stored = options.store.find(token.id);
    // The same work for an unknown id as for a wrong secret.
    const right = constantTimeEqual(stored?.hash ?? NO_HASH, secretHash(token.secret));
    if (!stored || !right) return WRONG;
    const { id, name, verbs, namespaces, scope, readScopes, expires, revoked } = stored.info;
    if (revoked !== undefined) return { failure: "revoked", id, name };
    if (expires !== undefined && now >= expires) return { failure: "expired", id, name };
    const principal = { id, name, verbs, namespaces, scope, readScopes, expires };
    const entry = { result: { principal }, expires: expires ?? Infinity, touched: 0 };
    if (known.size >= TOKEN_CACHE_ENTRIES) known.clear();
    known.set(authorization, entry);
    touch(entry, now);
    return entry.result;
  }

  function touch(entry: Known, now: number): void {
    entry.touched = now;
    options.store.touch(entry.result.principal.id, now);
  }

  return { authenticate };
}

/**
 * The token in an Authorization header: Bearer first, then the password of Basic, whose user is
 * ignored; `undefined` if there is none.
 */
export function presented(authorization: string): string | undefined {
  if (authorization.length > MAX_HEADER_CHARACTERS) return undefined;
  // Two headers of one name arrive as one value, joined by a comma and a blank.
  const credentials = authorization.split(/,\s+/);
  for (const wanted of ["bearer", "basic"]) {
    for (const credential of credentials) {
      const [, scheme, value] = /^\s*([A-Za-z]+) +(\S+)\s*$/.exec(credential) ?? [];
      if (!value || scheme?.toLowerCase() !== wanted) continue;
      return wanted === "bearer" ? value : password(value);
    }
  }
  return undefined;
}

function password(value: string): string | undefined {
  // Some tools use the URL-safe alphabet here, some leave the padding out.
  const base64 = value.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  if (!/^[A-Za-z0-9+/]*$/.test(base64) || base64.length % 4 === 1) return undefined;
  const text = new TextDecoder().decode(Uint8Array.fromBase64(base64));
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : text.slice(colon + 1);
}
