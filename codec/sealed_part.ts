/**
 * The sealed part of records: deterministic CBOR (RFC 8949, shortest forms; keys by length, then
 * by bytes, as in RFC 7049, 3.9), so that the same facts are the same bytes on every peer.
 *
 * ```
 * entry       { key, cost, tags: [text], scope, inputs: {text: text}, writer, content, created,
 *               digests: bytes (32 each, in the order of the clear part), headers: {text: text},
 *               protocol, namespace }
 * tombstone   { key, scope, protocol, namespace }
 * visibility  { namespace }
 * ```
 */
import { decode, encode } from "cborg";
import type { Bytes, Digest } from "../core/digest.ts";
import { digestBytes, digestFromBytes } from "../core/digest.ts";
import type { ContentKind, EntryFacts, EntryKey } from "../core/entry.ts";
import { isNamespace, isScope } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { equalBytes } from "../core/bytes.ts";
import { MAX_ENTRY_BLOBS, MAX_KEY_BYTES, MAX_TAG_BYTES, MAX_TAGS } from "../core/limits.ts";
import { corruptRecord } from "./clear_part.ts";

/** What the sealed part of an entry says; sizes of blobs stand in the clear part. */
export type SealedFacts = Omit<EntryFacts, "blobs"> & { readonly digests: readonly Digest[] };

const CONTENT_KINDS: readonly ContentKind[] = [
  "opaque",
  "action-result",
  "action-result-json",
  "tree",
];
const PROTOCOL = /^[A-Za-z0-9-]{1,64}$/;

/**
 * The canonical bytes of an entry's facts.
 * @throws {CacheError} `invalid_argument` for facts that no reader would take
 */
export function encodeEntryFacts(facts: EntryFacts): Bytes {
  const { blobs, ...rest } = facts;
  const sealed = { ...rest, digests: blobs.map((blob) => blob.digest) };
  refuse(problemOfKey(facts) ?? problemOfFacts(sealed));
  const digests = new Uint8Array(32 * blobs.length);
  blobs.forEach((blob, i) => digests.set(digestBytes(blob.digest), 32 * i));
  return canonical(
    new Map<string, unknown>([
      ["key", facts.key],
      ["cost", facts.cost],
      ["tags", facts.tags],
      ["scope", facts.scope],
      ["inputs", mapOf(facts.inputs)],
      ["writer", facts.writer],
      ["content", facts.content],
      ["created", facts.created],
      ["digests", digests],
      ["headers", mapOf(facts.headers)],
      ["protocol", facts.protocol],
      ["namespace", facts.namespace],
    ]),
  );
}

/**
 * Reads what {@linkcode encodeEntryFacts} made.
 * @throws {CacheError} `corrupt` for anything that it would not make
 */
export function decodeEntryFacts(plain: Uint8Array): SealedFacts {
  const map = decodeMap(plain, 12);
  const digests = map.get("digests");
  if (!(digests instanceof Uint8Array) || digests.length % 32 !== 0) {
    throw corruptRecord("its digests are no list of 32 bytes each");
  }
  const facts: SealedFacts = {
    ...keyOf(map),
    cost: map.get("cost") as number,
    tags: map.get("tags") as string[],
    inputs: recordOf(map.get("inputs")),
    writer: map.get("writer") as string,
    content: map.get("content") as ContentKind,
    created: map.get("created") as number,
    digests: Array.from(
      { length: digests.length / 32 },
      (_, i) => digestFromBytes(digests.subarray(32 * i, 32 * i + 32)),
    ),
    headers: recordOf(map.get("headers")),
  };
  const problem = problemOfFacts(facts);
  if (problem) throw corruptRecord(problem);
  return facts;
}

/** The canonical bytes of an entry's identity, for a tombstone. */
export function encodeEntryKey(key: EntryKey): Bytes {
  refuse(problemOfKey(key));
  return canonical(
    new Map([
      ["key", key.key],
      ["scope", key.scope],
      ["protocol", key.protocol],
      ["namespace", key.namespace],
    ]),
  );
}

/** Reads what {@linkcode encodeEntryKey} made; `corrupt` for anything else. */
export function decodeEntryKey(plain: Uint8Array): EntryKey {
  return keyOf(decodeMap(plain, 4));
}

/** The namespace that was encoded last: mostly it is the next one's, too. */
let lastNamespace: { readonly name: string; readonly plain: Bytes } | undefined;

/** The canonical bytes of a namespace's name. Not to be changed. */
export function encodeNamespace(namespace: string): Bytes {
  if (lastNamespace?.name === namespace) return lastNamespace.plain;
  refuse(isNamespace(namespace) ? undefined : "its namespace is not a name");
  const plain = canonical(new Map([["namespace", namespace]]));
  lastNamespace = { name: namespace, plain };
  return plain;
}

/** Reads what {@linkcode encodeNamespace} made; `corrupt` for anything else. */
export function decodeNamespace(plain: Uint8Array): string {
  const namespace = decodeMap(plain, 1).get("namespace");
  if (typeof namespace !== "string" || !isNamespace(namespace)) {
    throw corruptRecord("its namespace is not a name");
  }
  return namespace;
}

function canonical(map: ReadonlyMap<string, unknown>): Bytes {
  return encode(map) as Bytes; // a copy of what it was written to
}

function decodeMap(plain: Uint8Array, keys: number): Map<unknown, unknown> {
  let map: unknown;
  let again: Uint8Array;
  try {
    map = decode(plain, {
      strict: true,
      useMaps: true,
      allowIndefinite: false,
      allowUndefined: false,
      allowBigInt: false,
      allowInfinity: false,
      allowNaN: false,
      rejectDuplicateMapKeys: true,
    });
    // Also finds keys out of order and text that is not UTF-8.
    again = encode(map);
  } catch (thrown) {
    throw corruptRecord("its sealed part is not CBOR", thrown);
  }
  if (!(map instanceof Map) || map.size !== keys) {
    throw corruptRecord("its sealed part is not the expected map");
  }
  if (!equalBytes(plain, again)) throw corruptRecord("its sealed part is not canonical");
  return map;
}

function keyOf(map: Map<unknown, unknown>): EntryKey {
  const key = {
    namespace: map.get("namespace"),
    scope: map.get("scope"),
    protocol: map.get("protocol"),
    key: map.get("key"),
  } as EntryKey;
  const problem = problemOfKey(key);
  if (problem) throw corruptRecord(problem);
  return key;
}

function problemOfKey(key: EntryKey): string | undefined {
  const { namespace, scope, protocol } = key;
  if (typeof namespace !== "string" || !isNamespace(namespace)) {
    return "its namespace is not a name";
  }
  if (typeof scope !== "string" || !isScope(scope)) return "its scope is not a name";
  if (typeof protocol !== "string" || !PROTOCOL.test(protocol)) return "its protocol is not a name";
  if (!isText(key.key) || utf8Longer(key.key, MAX_KEY_BYTES)) {
    return `its key is longer than ${MAX_KEY_BYTES} bytes or not text`;
  }
  return undefined;
}

function problemOfFacts(facts: SealedFacts): string | undefined {
  const { tags } = facts;
  if (!CONTENT_KINDS.includes(facts.content)) return "its content is of no known kind";
  if (!isCount(facts.created) || !isCount(facts.cost)) return "its times are out of range";
  if (!isText(facts.writer)) return "its writer is not text";
  if (!Array.isArray(tags) || tags.length > MAX_TAGS) return `it has more than ${MAX_TAGS} tags`;
  if (!tags.every((tag) => isText(tag) && !utf8Longer(tag, MAX_TAG_BYTES))) {
    return `a tag of it is longer than ${MAX_TAG_BYTES} bytes or not text`;
  }
  if (facts.digests.length > MAX_ENTRY_BLOBS) return `it has more than ${MAX_ENTRY_BLOBS} blobs`;
  if (!isTextRecord(facts.inputs)) return "its inputs are not text";
  if (!isTextRecord(facts.headers)) return "its headers are not text";
  return undefined;
}

function refuse(problem: string | undefined): void {
  if (problem === undefined) return;
  throw new CacheError("invalid_argument", `Cannot write the entry: ${problem}`, {
    operation: "entry_record.encode",
  });
}

/** Text without lone surrogates: those would come back as U+FFFD. */
function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed();
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTextRecord(record: Readonly<Record<string, string>>): boolean {
  return Object.entries(record).every(([name, value]) => isText(name) && isText(value));
}

function utf8Longer(text: string, limit: number): boolean {
  if (text.length * 3 <= limit) return false;
  return text.length > limit || new TextEncoder().encode(text).length > limit;
}

function mapOf(record: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(Object.entries(record));
}

/** `fromEntries` makes own properties of every name, `__proto__` too. */
function recordOf(value: unknown): Record<string, string> {
  if (!(value instanceof Map)) throw corruptRecord("its inputs or headers are no map");
  return Object.fromEntries(value) as Record<string, string>;
}
