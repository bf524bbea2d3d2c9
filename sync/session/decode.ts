/** Takes the messages of a session apart; every field is looked at before anybody sees it. */
import type { Bytes } from "../../core/digest.ts";
import { isNamespace } from "../../core/entry.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { MAX_RECORD_BYTES, RECONCILE_MESSAGE_BYTES } from "../../core/limits.ts";
import {
  BATCH_RECORDS,
  MAX_CREDIT_BYTES,
  MAX_WIRE_CHUNK_BYTES,
  PACK_BLOBS,
  PACK_RAW_BYTES,
  SMALL_BLOB_BYTES,
} from "../../core/sync_limits.ts";
import { ByteReader } from "../reconcile/byte_reader.ts";
import { CREDIT_CLASSES, SESSION_NUMBER, violation, WIRE_KINDS } from "./messages.ts";
import type { CommitAckMessage, Packed, PackMessage, SessionMessages } from "./messages.ts";

/** Bytes in front of what is as long as the message says. */
const HEAD = { compare: 5, recipe: 41, chunk: 42 } as const;
/** Milliseconds of the last time that a hybrid logical clock can tell. */
const MAX_CLOCK_MS = 2 ** 48 - 1;
/** Parts of one offer, those of a root in one message: what one WANT has room for. */
const MAX_PARTS = 400_000;

/**
 * Reads one message and hands it to whom it is for.
 * @throws {CacheError} `invalid_argument` for whatever is not one
 */
export function decodeSession(message: Bytes, told: SessionMessages): void {
  const reader = new ByteReader(message);
  const number = reader.u8();
  const rest = (head: number): Bytes => {
    if (message.length <= head) throw violation("a message has nothing in it");
    return reader.bytes(message.length - head);
  };
  switch (number) {
    case SESSION_NUMBER.hello: {
      const [oldest, newest, reserved] = [reader.u8(), reader.u8(), reader.u8()];
      if (oldest === 0 || oldest > newest || reserved !== 0) throw violation("its HELLO is none");
      const capabilities = reader.u32();
      const clock = reader.count(MAX_CLOCK_MS);
      return told.hello(ended(reader, { oldest, newest, capabilities, clock }));
    }
    case SESSION_NUMBER.compare: {
      const comparison = reader.u32();
      if (message.length > HEAD.compare + RECONCILE_MESSAGE_BYTES) {
        throw violation(`a message of a comparison has more than ${RECONCILE_MESSAGE_BYTES} bytes`);
      }
      return told.compare(ended(reader, { comparison, body: rest(HEAD.compare) }));
    }
    case SESSION_NUMBER.records: {
      const last = flag(reader);
      const [comparison, batch, count] = [reader.u32(), reader.u32(), reader.u16()];
      if (count > BATCH_RECORDS) throw violation(`a batch has ${count} records`);
      if (count === 0 ? batch !== 0 || !last : batch === 0) {
        throw violation("a batch has no records or no number");
      }
      const records = Array.from({ length: count }, () => record(reader));
      return told.records(ended(reader, { comparison, batch, last, records }));
    }
    case SESSION_NUMBER.want: {
      const [offer, count] = [numbered(reader), reader.u32()];
      if (count > MAX_PARTS) throw violation(`a WANT has ${count} bits`);
      return told.want(ended(reader, { offer, wanted: reader.bits(count) }));
    }
    case SESSION_NUMBER.recipe: {
      const [batch, offer, id] = [numbered(reader), numbered(reader), reader.bytes(32)];
      return told.recipe(ended(reader, { batch, offer, id, body: rest(HEAD.recipe) }));
    }
    case SESSION_NUMBER.chunk: {
      const zstd = flag(reader);
      const [batch, rawLength, id] = [numbered(reader), reader.u32(), reader.bytes(32)];
      const packed = checked({ zstd, rawLength, bytes: rest(HEAD.chunk) }, MAX_WIRE_CHUNK_BYTES);
      return told.chunk(ended(reader, { batch, id, ...packed }));
    }
    case SESSION_NUMBER.pack:
      return told.pack(readPack(reader, rest));
    case SESSION_NUMBER.commit:
      return told.commit(ended(reader, { batch: numbered(reader) }));
    case SESSION_NUMBER.commitAck:
      return told.commitAck(readAck(reader));
    case SESSION_NUMBER.credit: {
      const creditClass = CREDIT_CLASSES[reader.u8() - 1];
      const bytes = reader.u32();
      if (!creditClass || bytes === 0 || bytes > MAX_CREDIT_BYTES) {
        throw violation("its CREDIT is none");
      }
      return told.credit(ended(reader, { class: creditClass, bytes }));
    }
    case SESSION_NUMBER.cancel: {
      const comparison = reader.u32();
      return told.cancel(ended(reader, { comparison, kind: kindOf(reader) }));
    }
    case SESSION_NUMBER.ping:
      return told.ping(ended(reader, { number: reader.u64() }));
    case SESSION_NUMBER.pong:
      return told.pong(ended(reader, { number: reader.u64() }));
    case SESSION_NUMBER.invalidate: {
      const epoch = reader.u32();
      const namespace = String.fromCharCode(...reader.bytes(reader.u8()));
      if (!isNamespace(namespace)) throw violation("it names no namespace");
      return told.invalidate(ended(reader, { namespace, epoch }));
    }
    case SESSION_NUMBER.goaway:
      return told.goaway(ended(reader, { kind: kindOf(reader) }));
    default:
      throw violation(`there is no message ${number}`);
  }
}

function readPack(reader: ByteReader, rest: (head: number) => Bytes): PackMessage {
  const zstd = flag(reader);
  const [batch, rawLength, count] = [numbered(reader), reader.u32(), reader.u16()];
  if (count === 0 || count > PACK_BLOBS) throw violation(`a PACK has ${count} blobs`);
  const lengths = Array.from({ length: count }, () => reader.u16());
  if (lengths.some((length) => length > SMALL_BLOB_BYTES)) throw violation("a blob is not small");
  const sum = lengths.reduce((total, length) => total + length, 0);
  if (sum !== rawLength) throw violation(`blobs of a PACK have ${sum} bytes, not ${rawLength}`);
  // Blobs that are all gone have no bytes.
  const bytes = sum === 0 ? new Uint8Array(0) : rest(12 + 2 * count);
  if (sum === 0 && zstd) throw violation("a PACK of nothing is compressed");
  return ended(reader, { batch, lengths, ...checked({ zstd, rawLength, bytes }, PACK_RAW_BYTES) });
}

function readAck(reader: ByteReader): CommitAckMessage {
  const [batch, count] = [numbered(reader), reader.u16()];
  if (count === 0 || count > BATCH_RECORDS) throw violation(`an ack is for ${count} records`);
  const missing = reader.bits(count);
  const refused = reader.bits(count);
  let next = 0;
  const stamped = Array.from({ length: reader.u16() }, () => {
    const index = reader.u16();
    if (index < next || index >= count) throw violation("stamped records are not in order");
    next = index + 1;
    return { index, record: record(reader) };
  });
  const kept = new Set(stamped.map(({ index }) => index));
  if (missing.some((is, at) => Number(is) + Number(refused[at]) + Number(kept.has(at)) > 1)) {
    throw violation("a record has two outcomes");
  }
  return ended(reader, { batch, missing, refused, stamped });
}

function ended<T>(reader: ByteReader, message: T): T {
  reader.end();
  return message;
}

function flag(reader: ByteReader): boolean {
  const flags = reader.u8();
  if (flags > 1) throw violation(`flags are ${flags}, want 0 or 1`);
  return flags === 1;
}

function numbered(reader: ByteReader): number {
  const number = reader.u32();
  if (number === 0) throw violation("nothing has the number 0");
  return number;
}

function record(reader: ByteReader): Bytes {
  const length = reader.u32();
  if (length === 0 || length > MAX_RECORD_BYTES) throw violation(`a record has ${length} bytes`);
  return reader.bytes(length);
}

function checked(packed: Packed, limit: number): Packed {
  const { zstd, rawLength, bytes } = packed;
  if (rawLength > limit) throw violation(`it unpacks to ${rawLength} bytes, want ${limit}`);
  if (!zstd && bytes.length !== rawLength) throw violation("raw bytes have another length");
  if (zstd && bytes.length >= rawLength) throw violation("it was compressed for nothing");
  return packed;
}

function kindOf(reader: ByteReader): ErrorKind {
  const kind = WIRE_KINDS[reader.u8()];
  if (!kind) throw violation("it fails for no known reason");
  return kind;
}
