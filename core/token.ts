/**
 * The text of a token.
 *
 * ```
 * vrc_ <id: 16 hex> _ <server's static X25519 public key: 43 base64url> _ <secret: 43 base64url>
 * 0    4            20 21                                                64 65               108
 * ```
 *
 * It is read by position: base64url has `_` and `-` among its digits, so it must never be split.
 * Whatever does not begin with `vrc_` is a token that somebody brought along.
 */
import { hkdfSync } from "node:crypto";
import type { Bytes } from "./digest.ts";
import { sha256, toHex } from "./digest.ts";
import { MAX_TOKEN_CHARACTERS, MIN_BROUGHT_TOKEN_CHARACTERS } from "./limits.ts";
import { Secret } from "./secret.ts";

/** A token that a server of ours made: it names the server it is for. */
export interface IssuedToken {
  readonly type: "issued";
  /** 16 lowercase hex digits. */
  readonly id: string;
  /** The server's static X25519 public key, 32 bytes. */
  readonly serverKey: Bytes;
  /** 32 bytes. */
  readonly secret: Secret<Bytes>;
}

/** A token that was made elsewhere; it names no server. */
export interface BroughtToken {
  readonly type: "brought";
  /** The first 16 hex digits of the SHA-256 of its text. */
  readonly id: string;
  /** Its text, as UTF-8. */
  readonly secret: Secret<Bytes>;
}

const PSK_LABEL = "vitte session psk v1";
const PREFIX = "vrc_";
const ISSUED_CHARACTERS = 108;
const KEY_AT = 21;
const SECRET_AT = 65;
// The last digit of 32 bytes carries four bits, so two of its own must be zero: one text a token.
const ISSUED =
  /^vrc_[0-9a-f]{16}_[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]_[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
// What a header can carry without quoting or folding.
const VISIBLE = /^[\x21-\x7e]+$/;

/** Unpadded base64url. */
export function toBase64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** Bytes of unpadded base64url; throws `SyntaxError` on anything else. */
export function fromBase64Url(text: string): Bytes {
  return Uint8Array.fromBase64(text, { alphabet: "base64url" }) as Bytes;
}

/** The text of an issued token. Throws `RangeError` for an id or bytes of the wrong length. */
export function formatToken(token: Omit<IssuedToken, "type">): string {
  const secret = token.secret.reveal();
  if (!/^[0-9a-f]{16}$/.test(token.id)) throw new RangeError("Cannot format the token: bad id");
  if (token.serverKey.length !== 32 || secret.length !== 32) {
    throw new RangeError("Cannot format the token: key and secret must have 32 bytes");
  }
  return `${PREFIX}${token.id}_${toBase64Url(token.serverKey)}_${toBase64Url(secret)}`;
}

/**
 * Reads a token; `undefined` for what can not be one: too short, too long, bytes outside visible
 * ASCII, or a damaged `vrc_` token. That it can be read says nothing about whether it is good.
 */
export function parseToken(text: string): IssuedToken | BroughtToken | undefined {
  if (text.startsWith(PREFIX)) {
    if (text.length !== ISSUED_CHARACTERS || !ISSUED.test(text)) return undefined;
    return {
      type: "issued",
      id: text.slice(PREFIX.length, KEY_AT - 1),
      serverKey: fromBase64Url(text.slice(KEY_AT, SECRET_AT - 1)),
      secret: new Secret(fromBase64Url(text.slice(SECRET_AT))),
    };
  }
  if (text.length < MIN_BROUGHT_TOKEN_CHARACTERS || text.length > MAX_TOKEN_CHARACTERS) {
    return undefined;
  }
  if (!VISIBLE.test(text)) return undefined;
  const bytes = new TextEncoder().encode(text);
  return { type: "brought", id: toHex(sha256(bytes)).slice(0, 16), secret: new Secret(bytes) };
}

/** The pre-shared key of a sync session, 32 bytes: HKDF-SHA-256 of a token's secret. */
export function sessionPsk(secret: Secret<Bytes>): Bytes {
  return new Uint8Array(hkdfSync("sha256", secret.reveal(), new Uint8Array(0), PSK_LABEL, 32));
}
