/**
 * Records of kind 6, `pin`: how this store keeps an entry. Local, as eviction is: no peer hears of
 * them. The id of the record is the entry id; the newest of an id holds. Little-endian.
 *
 * ```
 *  0  1  version, 1
 *  1  1  kind of record, 6
 *  2  1  what: 0 as any other (unpinned), 1 pinned, 2 let go: the entry is forgotten, see below
 *  3  1  reserved, 0
 *  4  8  time, milliseconds since 1970
 * 12     the sealed part, up to the end of the record
 * ```
 *
 * An entry that was let go made room in its namespace. It is no tombstone: an entry with the same id
 * behind it in the log counts, whatever its stamp. The sealed part is JSON: `[by, namespace, scope,
 * protocol, key]`, `by` being the name of the token, empty where nobody asked.
 */
import type { Bytes } from "../core/digest.ts";
import type { EntryId, EntryKey } from "../core/entry.ts";
import { KIND_NUMBER } from "../core/record.ts";
import type { PlainRecord } from "../core/record.ts";
import { utf8 } from "../core/utf8.ts";
import { checkLogVersion, corruptRecord, LOG_RECORD_VERSION } from "./clear_part.ts";
import type { Seal } from "./seal.ts";
import { safeAt, setSafe } from "./segment.ts";

/** How an entry is kept from here on. */
export type Keep = "unpinned" | "pinned" | "let_go";

/** What a record says. */
export interface KeepChange {
  readonly what: Keep;
  readonly key: EntryKey;
  /** Name of the token; empty where nobody asked. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const KEEPS: readonly Keep[] = ["unpinned", "pinned", "let_go"];
const HEAD_BYTES = 12;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Makes the record of a change. */
export function encodeKeep(change: KeepChange, id: EntryId, seal: Seal): PlainRecord<"pin"> {
  const clear = new Uint8Array(HEAD_BYTES);
  clear[0] = LOG_RECORD_VERSION;
  clear[1] = KIND_NUMBER.pin;
  clear[2] = KEEPS.indexOf(change.what);
  setSafe(new DataView(clear.buffer), 4, Math.max(0, Math.floor(change.at)));
  const { namespace, scope, protocol, key } = change.key;
  const plain = utf8(JSON.stringify([change.by, namespace, scope, protocol, key]));
  const sealed = seal.seal(plain, clear);
  const body = new Uint8Array(clear.length + sealed.length);
  body.set(clear);
  body.set(sealed, clear.length);
  return { kind: "pin", id, body };
}

/** Reads a record. @throws {CacheError} `corrupt`, `unsupported` for a newer version */
export function decodeKeep(body: Bytes, seal: Seal): KeepChange {
  if (body.length < HEAD_BYTES || body[1] !== KIND_NUMBER.pin || body[3] !== 0) {
    throw corruptRecord("it is no pin");
  }
  checkLogVersion(body[0]!);
  const what = KEEPS[body[2]!];
  const at = safeAt(new DataView(body.buffer, body.byteOffset, HEAD_BYTES), 4);
  if (what === undefined || at === undefined) throw corruptRecord("a field of it is out of range");
  const plain = seal.open(body.subarray(HEAD_BYTES), body.subarray(0, HEAD_BYTES));
  let parts: unknown;
  try {
    parts = JSON.parse(decoder.decode(plain));
  } catch (cause) {
    throw corruptRecord("its sealed part is not JSON", cause);
  }
  const right = Array.isArray(parts) && parts.length === 5 &&
    parts.every((part) => typeof part === "string");
  if (!right) throw corruptRecord("its sealed part is not the expected list");
  const [by, namespace, scope, protocol, key] = parts as [string, string, string, string, string];
  return { what, at, by, key: { namespace, scope, protocol, key } };
}
