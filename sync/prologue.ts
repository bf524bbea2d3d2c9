/**
 * What both sides must have seen alike before the first message of a handshake, so that nobody in
 * between can change it: to another host, another path, an older version, fewer capabilities.
 *
 * ```
 * prologue = len16 "vitte sync" ‖ version u16 ‖ n u16, n × len16 capability
 *            ‖ len16 host ‖ len16 path ‖ len16 token id          (all little-endian)
 * ```
 */
import { concat } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_PATH_BYTES } from "../core/limits.ts";
import { MAX_CAPABILITIES, MAX_CAPABILITY_CHARACTERS } from "../core/sync_limits.ts";
import { utf8 } from "../core/utf8.ts";

/** The version of sessions that this code speaks. */
export const SESSION_VERSION = 1;

/** What stands in the request that opens a session. */
export interface SessionRequest {
  /** Of the protocol of sessions, 1 to 65,535. */
  readonly version: number;
  /** What the client can do, in its own order; each 1 to 32 of `a-z`, `0-9` and `-`. */
  readonly capabilities: readonly string[];
  /** As `URL.host` has it: the default port is left out. Upper and lower case are the same. */
  readonly host: string;
  /** The path as it stands in the request. */
  readonly path: string;
  /** 16 lowercase hex digits. */
  readonly tokenId: string;
}

const PROTOCOL = "vitte sync";
const MAX_HOST_CHARACTERS = 259;

/**
 * The prologue of this request.
 * @throws {CacheError} `invalid_argument` for a request that can not be one of a session
 */
export function buildPrologue(request: SessionRequest): Bytes {
  const { version, capabilities, host, path, tokenId } = request;
  if (!Number.isInteger(version) || version < 1 || version > 0xffff) throw bad("version");
  if (!/^[0-9a-f]{16}$/.test(tokenId)) throw bad("token id");
  if (!/^[\x21-\x7e]+$/.test(host) || host.length > MAX_HOST_CHARACTERS) throw bad("host");
  if (!/^\/[\x21-\x7e]*$/.test(path) || path.length > MAX_PATH_BYTES) throw bad("path");
  checkCapabilities(capabilities);
  return concat([
    field(PROTOCOL),
    u16(version),
    u16(capabilities.length),
    ...capabilities.map(field),
    ...[host.toLowerCase(), path, tokenId].map(field),
  ]);
}

function checkCapabilities(capabilities: readonly string[]): void {
  const good = capabilities.every((capability) =>
    /^[a-z0-9-]+$/.test(capability) && capability.length <= MAX_CAPABILITY_CHARACTERS
  );
  const distinct = new Set(capabilities).size === capabilities.length;
  if (!good || !distinct || capabilities.length > MAX_CAPABILITIES) throw bad("capabilities");
}

function field(text: string): Bytes {
  const bytes = utf8(text);
  return concat([u16(bytes.length), bytes]);
}

function u16(value: number): Bytes {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value, true);
  return bytes;
}

function bad(what: string): CacheError {
  return new CacheError("invalid_argument", `Cannot open a session: bad ${what} in the request`, {
    operation: "session.open",
  });
}
