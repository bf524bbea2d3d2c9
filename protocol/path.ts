/**
 * The one parser of request targets. What it returns is both what is authorised and what is
 * stored, so nothing behind it may look at the URL again.
 */
import { CacheError } from "../core/errors.ts";
import { isNamespace } from "../core/entry.ts";
import { MAX_KEY_BYTES, MAX_PATH_BYTES } from "../core/limits.ts";
import { RESERVED_SEGMENTS } from "./url_space.ts";

/** A request target, decoded once. */
export interface ParsedPath {
  /** `host[:port]` as the URL names it; empty if there was none. */
  readonly authority: string;
  /** Of `/ns/<namespace>/…`, else `default`, whatever the token may do. */
  readonly namespace: string;
  /** The first segment, if it is one that names a tool or a part of the server; else `undefined`. */
  readonly tool: string | undefined;
  /** Decoded segments behind the namespace and the tool; none is empty, `.` or `..`. */
  readonly segments: readonly string[];
  /** The segments joined by `/`: no segment holds one, so the join can be undone. */
  readonly key: string;
  /** Behind the first `?`, undecoded, without it; empty if there was none. */
  readonly query: string;
}

/** The namespace of a path that names none. */
export const DEFAULT_NAMESPACE = "default";

const utf8 = new TextEncoder();
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
// Everything outside visible ASCII must come percent-encoded; `#` never belongs into a target.
/** Most paths: segments with nothing in them that could be read in two ways, and no query. */
const PLAIN = /^(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$/;
const OUTSIDE = /[^\x21-\x7e]|[\\#]/;
const ENCODED_SEPARATOR = /%(?:2[eEfF]|5[cC]|00)/;
const MALFORMED_PERCENT = /%(?![0-9a-fA-F]{2})/;
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x1f\x7f-\x9f\\/]/;
// ccache 4.7 writes `//ab/cdef…` when its URL has no path: https://github.com/ccache/ccache
const CCACHE_DOUBLE_SLASH = /^((?:\/[^/]+)*)\/(\/[0-9a-v]{2}\/[0-9a-v]{31,38})$/;

/**
 * Parses a URL as the listener hands it over, `scheme://authority/path?query` with nothing
 * normalised, or a bare path.
 * @throws {CacheError} `invalid_argument` for a path that could be read in two ways: dot segments,
 * empty segments, backslashes, control characters, encoded separators or dots, malformed percent
 * or UTF-8, text that is not in normal form C, a bad namespace, or more than `MAX_PATH_BYTES`
 */
export function parsePath(url: string): ParsedPath {
  const { authority, target } = splitTarget(url);
  if (target.length <= MAX_PATH_BYTES && PLAIN.test(target)) {
    return { authority, query: "", ...interpret(target.slice(1).split("/"), target) };
  }
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? "" : target.slice(mark + 1);
  if (path.length > MAX_PATH_BYTES) throw bad(`longer than ${MAX_PATH_BYTES} bytes`);
  if (OUTSIDE.test(path)) throw bad("a character that must be percent-encoded");
  return { authority, query, ...interpret(decodeSegments(path)) };
}

/** Only the authority of a URL: enough to refuse a foreign host before anything else is read. */
export function authorityOf(url: string): string {
  return splitTarget(url).authority;
}

/** What follows the authority of a URL, as it stands there: path and query, with a slash in front. */
export function targetOf(url: string): string {
  return splitTarget(url).target;
}

/**
 * Checks a key that did not come in a path: what can not be asked for must not be stored.
 * @throws {CacheError} `invalid_argument` if no path could name it, or above `MAX_KEY_BYTES`
 */
export function checkKey(key: string): string {
  if (key.length > MAX_KEY_BYTES || utf8.encode(key).length > MAX_KEY_BYTES) {
    throw bad(`a key longer than ${MAX_KEY_BYTES} bytes`);
  }
  for (const segment of key.split("/")) {
    if (segment === "") throw bad("an empty segment");
    if (segment === "." || segment === "..") throw bad("a dot segment");
    if (CONTROL.test(segment)) throw bad("a control character or a backslash");
    if (!segment.isWellFormed()) throw bad("half a surrogate pair");
    if (segment.normalize("NFC") !== segment) throw bad("text not in Unicode normal form C");
  }
  return key;
}

/**
 * One value of a query string, decoded; `undefined` if it is not there.
 * @throws {CacheError} `invalid_argument` if it is there twice or does not decode
 */
export function queryValue(query: string, name: string): string | undefined {
  let found: string | undefined;
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    if ((equals < 0 ? pair : pair.slice(0, equals)) !== name) continue;
    if (found !== undefined) throw bad(`"${name}" more than once in the query`);
    found = equals < 0 ? "" : decodeText(pair.slice(equals + 1).replaceAll("+", "%20"));
  }
  return found;
}

/** Scheme and authority of the last URL, and its authority: mostly the next one's too. */
let lastOrigin = "";
let lastAuthority = "";
const SLASH = "/".charCodeAt(0);

function splitTarget(url: string): { authority: string; target: string } {
  const at = lastOrigin.length;
  if (at > 0 && url.charCodeAt(at) === SLASH && url.startsWith(lastOrigin)) {
    return { authority: lastAuthority, target: url.slice(at) };
  }
  const scheme = SCHEME.exec(url);
  if (!scheme) return { authority: "", target: url };
  const start = scheme[0].length;
  let end = start;
  while (end < url.length && url[end] !== "/" && url[end] !== "?") end++;
  const target = url.slice(end);
  lastOrigin = url.slice(0, end);
  lastAuthority = url.slice(start, end);
  return {
    authority: lastAuthority,
    target: target.startsWith("/") ? target : `/${target}`,
  };
}

function decodeSegments(path: string): string[] {
  if (path === "/") return [];
  const double = path.includes("//") ? CCACHE_DOUBLE_SLASH.exec(path) : null;
  const single = double ? double[1]! + double[2]! : path;
  if (!single.startsWith("/")) throw bad("no slash at the beginning");
  const segments = single.slice(1).split("/");
  const encoded = single.includes("%");
  if (encoded && ENCODED_SEPARATOR.test(single)) throw bad("an encoded dot, slash or zero byte");
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!;
    if (segment === "") throw bad("an empty segment");
    if (segment === "." || segment === "..") throw bad("a dot segment");
    if (encoded && segment.includes("%")) segments[i] = decodeSegment(segment);
  }
  return segments;
}

function decodeSegment(segment: string): string {
  const text = decodeText(segment);
  if (CONTROL.test(text)) throw bad("a control character");
  if (text.normalize("NFC") !== text) throw bad("text that is not in Unicode normal form C");
  return text;
}

function decodeText(text: string): string {
  if (MALFORMED_PERCENT.test(text)) throw bad("a malformed percent sign");
  try {
    return decodeURIComponent(text);
  } catch (thrown) {
    // URIError says only that the bytes are no UTF-8; overlong forms and surrogates are refused too.
    throw bad("bytes that are no UTF-8", thrown);
  }
}

/** `plain`: the path itself, where the segments stand in it as they are. */
function interpret(
  segments: readonly string[],
  plain?: string,
): Omit<ParsedPath, "authority" | "query"> {
  let namespace = DEFAULT_NAMESPACE;
  let from = 0;
  if (segments[0] === "ns") {
    const name = segments[1];
    if (name === undefined || !isNamespace(name)) {
      throw bad(`namespace "${(name ?? "").slice(0, 80)}", want lowercase letters, digits, . _ -`);
    }
    namespace = name;
    from = 2;
  }
  const first = segments[from];
  const tool = first !== undefined && RESERVED_SEGMENTS.has(first) ? first : undefined;
  if (tool !== undefined) from++;
  const rest = from === 0 ? segments : segments.slice(from);
  const key = plain === undefined ? rest.join("/") : plain.slice(lengthOf(segments, from) + 1);
  return { namespace, tool, segments: rest, key };
}

/** Characters of the first segments, each with its slash. */
function lengthOf(segments: readonly string[], count: number): number {
  let length = 0;
  for (let n = 0; n < count; n++) length += segments[n]!.length + 1;
  return length;
}

function bad(state: string, cause?: unknown): CacheError {
  return new CacheError("invalid_argument", `Cannot read the path: it has ${state}`, {
    operation: "path.parse",
    cause,
  });
}
