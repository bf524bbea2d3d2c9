/**
 * Files that hold a key: one line that says what it is, one line of base64url, mode 0600.
 *
 * ```
 * vitte-remote-cache server key v1
 * <base64url>
 * ```
 *
 * They are made once and never rewritten: a new one is written beside its place, synced, renamed,
 * and the folder synced, so that a crash leaves either no key or the whole key.
 */
import { dirname } from "node:path";
import { CacheError, toCacheError } from "../core/errors.ts";
import type { Bytes } from "../core/digest.ts";
import { fromBase64Url, toBase64Url } from "../core/token.ts";

const MAX_FILE_BYTES = 4096;
const PRIVATE_MODE = 0o600;
const OTHERS = 0o077;

/** What a key file holds. */
export interface KeyFileKind {
  /** In the first line, and in messages: `server key`. */
  readonly what: string;
  /** Bytes of the key. */
  readonly length: number;
  /** Makes a new key. */
  make(): Bytes;
}

/**
 * Reads the key at `path`, or makes it when there is no such file.
 * @throws {CacheError} `permission_denied` when others may read the file, `corrupt` when it holds
 * something else
 */
export function openKeyFile(path: string, kind: KeyFileKind): Bytes {
  const text = readKeyFile(path, { what: kind.what });
  if (text !== undefined) return parse(text, { path, kind });
  const key = kind.make();
  writeKeyFile(path, `${headerOf(kind)}\n${toBase64Url(key)}\n`, `${kind.what}`);
  return key;
}

/** Options of {@linkcode readKeyFile}. */
export interface ReadKeyOptions {
  /** In messages: `server key`. */
  readonly what: string;
  /** Take a file that others may read, too. Default false. */
  readonly anyMode?: boolean;
}

/**
 * The text of a file that nobody but its owner may read, at most 4 KiB; `undefined` if there is
 * no such file.
 * @throws {CacheError} `permission_denied` when others may read it
 */
export function readKeyFile(path: string, options: ReadKeyOptions): string | undefined {
  const { what, anyMode = false } = options;
  try {
    using file = Deno.openSync(path, { read: true });
    const info = file.statSync();
    // `mode` is null where the system has no such thing.
    if (!anyMode && info.mode !== null && (info.mode & OTHERS) !== 0) {
      const mode = (info.mode & 0o7777).toString(8).padStart(4, "0");
      throw new CacheError(
        "permission_denied",
        `Cannot use the ${what} "${path}": its mode is ${mode}, want 0600`,
        { operation: "key_file.read", hint: `run: chmod 600 "${path}"` },
      );
    }
    const bytes = new Uint8Array(MAX_FILE_BYTES);
    let length = 0;
    while (length < bytes.length) {
      const count = file.readSync(bytes.subarray(length));
      if (count === null) break;
      length += count;
    }
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw toCacheError(thrown, "key_file.read");
  }
}

/**
 * Puts a file with mode 0600 in place, whole or not at all, and durable when it returns.
 * @throws {CacheError} as the disk says
 */
export function writeKeyFile(path: string, text: string, what: string): void {
  const temporary = `${path}.tmp`;
  try {
    // What a crash left behind may have any mode, so it is never written into.
    removeIfThere(temporary);
    using file = Deno.openSync(temporary, { write: true, createNew: true, mode: PRIVATE_MODE });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
    Deno.renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (thrown) {
    const error = toCacheError(thrown, "key_file.write");
    throw new CacheError(error.kind, `Cannot write the ${what} "${path}": ${error.message}`, {
      operation: "key_file.write",
      cause: thrown,
    });
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}

function syncFolder(path: string): void {
  // A folder can not be opened there, and the rename is journaled by itself.
  if (Deno.build.os === "windows") return;
  using folder = Deno.openSync(path, { read: true });
  folder.syncSync();
}

function headerOf(kind: KeyFileKind): string {
  return `vitte-remote-cache ${kind.what} v1`;
}

function parse(text: string, { path, kind }: { path: string; kind: KeyFileKind }): Bytes {
  const [header, body, ...rest] = text.split("\n");
  const digits = Math.ceil(kind.length * 4 / 3);
  const whole = header === headerOf(kind) && body?.length === digits && rest.join("\n") === "";
  if (whole && rest.length === 1 && /^[A-Za-z0-9_-]+$/.test(body)) return fromBase64Url(body);
  throw new CacheError(
    "corrupt",
    `Cannot read the ${kind.what} "${path}": it holds something else, want the file made at first start`,
    {
      operation: "key_file.read",
      hint: "restore it from a backup; without it, tokens and entries made with it are lost",
    },
  );
}
