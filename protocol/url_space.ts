/** Names on the wire that both ends agree on: first segments, headers, media types, paths. */
import type { Digest } from "../core/digest.ts";
import { TOOLS } from "../core/tools.ts";

/**
 * First segments that never are a prefix of somebody's own: tools, parts of this server, and names
 * kept free, so that a path does not change its meaning when their adapter comes.
 */
export const RESERVED_SEGMENTS: ReadonlySet<string> = new Set([
  ...TOOLS,
  "v1",
  "healthz",
  "metrics",
  "status",
  "ns",
  "v8",
  "twirp",
  "_apis",
  "sccache",
  "gha",
  "nix",
]);

/** Headers of the native API. */
export const HEADERS = {
  /** On every answer; the log has the same id. */
  requestId: "vitte-request-id",
  /** On an answer that hides an error, see the miss table of each adapter: what it hides. */
  missReason: "vitte-miss-reason",
  /** On every answer when the token ends within 14 days: when, in milliseconds since 1970. */
  tokenExpires: "vitte-token-expires",
  /** Request: tags, separated by commas, each percent-encoded where it must be. */
  tags: "vitte-tags",
  /** Request: milliseconds of work that a hit saves. */
  cost: "vitte-cost",
  /** Answer: name of the token that wrote the entry, percent-encoded where it must be. */
  writer: "vitte-writer",
  /** Answer: scope of the entry. */
  scope: "vitte-scope",
  /** Answer: milliseconds since 1970. */
  created: "vitte-created",
} as const;

/** Protocol name of the outputs of Go's build cache, by the hex digits of their action. */
export const GO_PROTOCOL = "go";
/** Answer to a GET of an action: the hex digits of its output, which are the body's SHA-256. */
export const GO_OUTPUT_ID = "go-output-id";
/** Request: the output itself is wanted, in the same answer. */
export const GO_WANT_OBJECT = "want-object";

/** Where the output of an action is asked for. */
export function goActionPath(namespace: string, action: string): string {
  return `${namespace === "default" ? "" : `/ns/${namespace}`}/go/action/${action}`;
}

/** Where the output of an action is put. */
export function goPutPath(namespace: string, action: string, output: string): string {
  return `${namespace === "default" ? "" : `/ns/${namespace}`}/go/${action}/${output}`;
}

/** Media type of an entry that names blobs uploaded before. */
export const ENTRY_MEDIA_TYPE = "application/vnd.vitte.entry+json";
/** Media type of every error. */
export const PROBLEM_MEDIA_TYPE = "application/problem+json";
/** Protocol name of entries that the native API reads and writes unless told otherwise. */
export const KEY_VALUE_PROTOCOL = "kv";
/** Realm of the challenges of a 401. */
export const REALM = "vitte-remote-cache";

/** A value of {@linkcode HEADERS} that may be any text: safe in a header, and can be undone. */
export function headerText(text: string): string {
  return encodeURIComponent(text);
}

/** The path of a part of the native API: `nativePath("team", "stats")`, keys segment by segment. */
export function nativePath(namespace: string, ...parts: readonly string[]): string {
  const rest = parts.map((part) => part.split("/").map(encodeURIComponent).join("/")).join("/");
  return `${namespace === "default" ? "" : `/ns/${namespace}`}/v1/${rest}`;
}

/** Where a blob is. */
export function blobPath(namespace: string, digest: Digest): string {
  return nativePath(namespace, "blobs", digest);
}

/** Where an entry's value is. */
export function entryPath(namespace: string, key: string): string {
  return nativePath(namespace, "entries", key);
}

/** The entity tag of a body: its digest, quoted. */
export function entityTag(digest: Digest): string {
  return `"${digest}"`;
}
