/**
 * Records of the audit, kind 8. A **note** stands in the log directly before the entry or tombstone
 * that it is about and says what that one cannot: what stood there before, and who deleted. A
 * **row** stands in the files of the audit and is complete. The id of both is the entry id.
 * Little-endian.
 *
 * ```
 *  0  1  version, 1
 *  1  1  kind of record, 8
 *  2  1  what: 0 nothing (a mark), 1 put, 2 replaced, 3 deleted
 *  3  1  0 a note, 1 a row
 *  4  8  time, milliseconds since 1970; 0 in a mark
 * 12  8  rows: hybrid logical clock of the change
 * 20  8  rows: number of a log segment, and
 * 28  8  rows: a position in it, at or before the change
 *        the sealed part, up to the end of the record
 * ```
 *
 * The sealed part is JSON: of a note `[writer, before]`, of a row `[writer, before, after,
 * namespace, scope, protocol, key]`; digests are texts or null. A mark has none. JSON, unlike the
 * CBOR of entries, since nobody hashes it and it takes a quarter of the time on every write.
 */
import type { EntryChange } from "../core/audit.ts";
import type { Bytes, Digest } from "../core/digest.ts";
import { parseDigest } from "../core/digest.ts";
import type { EntryId } from "../core/entry.ts";
import type { LogPosition, PlainRecord } from "../core/record.ts";
import { KIND_NUMBER } from "../core/record.ts";
import { cut } from "../core/slab.ts";
import { utf8 } from "../core/utf8.ts";
import { checkLogVersion, corruptRecord, LOG_RECORD_VERSION } from "./clear_part.ts";
import type { Seal } from "./seal.ts";
import { safeAt, setSafe } from "./segment.ts";

/** What a note says. */
export interface AuditNote {
  readonly kind: EntryChange["kind"];
  /** Milliseconds since 1970 by the wall clock. */
  readonly at: number;
  /** Who deleted; empty in notes on entries, which name their writer themselves. */
  readonly writer: string;
  readonly before: Digest | undefined;
}

/** Where a row stands among all changes. */
export interface AuditPlace {
  /** Hybrid logical clock of the change; grows from row to row. */
  readonly hlc: bigint;
  /** Everything that is older is in the audit already. */
  readonly position: LogPosition;
}

const NOTE_BYTES = 12;
const ROW_BYTES = 36;
const KINDS: readonly (EntryChange["kind"] | undefined)[] = [
  undefined,
  "put",
  "replace",
  "delete",
];
const NO_ID = new Uint8Array(32);
const DIGEST = /^sha256-[0-9a-f]{64}$/;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Makes the note that goes to the log before the change itself. */
export function encodeNote(note: AuditNote, id: EntryId, seal: Seal): PlainRecord<"audit"> {
  const clear = head({ bytes: NOTE_BYTES, what: KINDS.indexOf(note.kind), at: note.at });
  return sealed(clear, [note.writer, note.before ?? null], { id, seal });
}

/** Reads a note. @throws {CacheError} `corrupt`, `unsupported` for a newer version */
export function decodeNote(record: PlainRecord, seal: Seal): AuditNote {
  const { kind, parts } = opened(record, seal, { form: 0, clearBytes: NOTE_BYTES, count: 2 });
  const [writer, before] = parts;
  if (!kind || typeof writer !== "string") throw corruptRecord("it is no note of the audit");
  return { kind, at: timeOf(record), writer, before: digestOf(before) };
}

/** Makes a row of the audit's files. */
export function encodeAuditRow(
  row: EntryChange,
  place: AuditPlace & { readonly id: EntryId },
  seal: Seal,
): PlainRecord<"audit"> {
  const { writer, before, after, namespace, scope, protocol, key } = row;
  const clear = rowHead({ what: KINDS.indexOf(row.kind), at: row.at }, place);
  const parts = [writer, before ?? null, after ?? null, namespace, scope, protocol, key];
  return sealed(clear, parts, { id: place.id, seal });
}

/** A row without a change: it only says how far the audit goes. */
export function encodeMark(place: AuditPlace): PlainRecord<"audit"> {
  return { kind: "audit", id: NO_ID, body: rowHead({ what: 0, at: 0 }, place) };
}

/** Whether it is a mark and no row. */
export function isMark({ body }: Pick<PlainRecord, "body">): boolean {
  return body[2] === 0;
}

/** Where a row or a mark stands, unopened. @throws {CacheError} `corrupt`, `unsupported` */
export function placeOfRow({ body }: Pick<PlainRecord, "body">): AuditPlace {
  if (body.length < ROW_BYTES || body[1] !== KIND_NUMBER.audit || body[3] !== 1) {
    throw corruptRecord("it is no row of the audit");
  }
  checkLogVersion(body[0]!);
  const view = new DataView(body.buffer, body.byteOffset, ROW_BYTES);
  const [segment, offset] = [safeAt(view, 20), safeAt(view, 28)];
  if (segment === undefined || offset === undefined) {
    throw corruptRecord("its position is out of range");
  }
  return { hlc: view.getBigUint64(12, true), position: { segment, offset } };
}

/** The time of a note or row, unopened. @throws {CacheError} `corrupt` */
export function timeOf({ body }: Pick<PlainRecord, "body">): number {
  const at = body.length < NOTE_BYTES
    ? undefined
    : safeAt(new DataView(body.buffer, body.byteOffset, NOTE_BYTES), 4);
  if (at === undefined) throw corruptRecord("its time is out of range");
  return at;
}

/** Reads a row; `undefined` for a mark. @throws {CacheError} `corrupt`, `unsupported` */
export function decodeAuditRow(record: PlainRecord, seal: Seal): EntryChange | undefined {
  placeOfRow(record);
  if (isMark(record)) return undefined;
  const { kind, parts } = opened(record, seal, { form: 1, clearBytes: ROW_BYTES, count: 7 });
  const [writer, before, after, ...names] = parts;
  if (!kind || ![writer, ...names].every((text) => typeof text === "string")) {
    throw corruptRecord("it is no row of the audit");
  }
  const [namespace, scope, protocol, key] = names as [string, string, string, string];
  return {
    kind,
    at: timeOf(record),
    writer: writer as string,
    namespace,
    scope,
    protocol,
    key,
    before: digestOf(before),
    after: digestOf(after),
  };
}

function head(
  { bytes, what, at }: { readonly bytes: number; readonly what: number; readonly at: number },
): Bytes {
  const clear = cut(bytes);
  clear[0] = LOG_RECORD_VERSION;
  clear[1] = KIND_NUMBER.audit;
  clear[2] = what;
  setSafe(viewOf(clear), 4, Math.max(0, Math.floor(at)));
  return clear;
}

function rowHead(
  { what, at }: { readonly what: number; readonly at: number },
  { hlc, position }: AuditPlace,
): Bytes {
  const clear = head({ bytes: ROW_BYTES, what, at });
  const view = viewOf(clear);
  clear[3] = 1;
  view.setBigUint64(12, hlc, true);
  setSafe(view, 20, position.segment);
  setSafe(view, 28, position.offset);
  return clear;
}

function viewOf({ buffer, byteOffset, length }: Bytes): DataView {
  return new DataView(buffer, byteOffset, length);
}

function sealed(
  clear: Bytes,
  parts: readonly (string | null)[],
  { id, seal }: { readonly id: EntryId; readonly seal: Seal },
): PlainRecord<"audit"> {
  const part = seal.seal(utf8(JSON.stringify(parts)), clear);
  const body = cut(clear.length + part.length);
  body.set(clear);
  body.set(part, clear.length);
  return { kind: "audit", id, body };
}

function opened(
  { body }: PlainRecord,
  seal: Seal,
  want: { readonly form: number; readonly clearBytes: number; readonly count: number },
): { kind: EntryChange["kind"] | undefined; parts: unknown[] } {
  const { form, clearBytes, count } = want;
  if (body.length < clearBytes || body[1] !== KIND_NUMBER.audit || body[3] !== form) {
    throw corruptRecord("it is no such record of the audit");
  }
  checkLogVersion(body[0]!);
  const plain = seal.open(body.subarray(clearBytes), body.subarray(0, clearBytes));
  let parts: unknown;
  try {
    parts = JSON.parse(decoder.decode(plain));
  } catch (cause) {
    throw corruptRecord("its sealed part is not JSON", cause);
  }
  if (!Array.isArray(parts) || parts.length !== count) {
    throw corruptRecord("its sealed part is not the expected list");
  }
  return { kind: KINDS[body[2]!], parts };
}

function digestOf(text: unknown): Digest | undefined {
  if (text === null) return undefined;
  if (typeof text === "string" && DIGEST.test(text)) return parseDigest(text);
  throw corruptRecord("a digest of it is none");
}
