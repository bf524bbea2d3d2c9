/**
 * Messages of a session as bytes, little-endian; docs/protocol.md has the pictures.
 *
 *     HELLO       1 | oldest u8 | newest u8 | 0 u8 | capabilities u32 | clock u64
 *     COMPARE     2 | comparison u32 | message of the comparison
 *     RECORDS     3 | flags u8 (1: last) | comparison u32 | batch u32 | records u16 |
 *                 for each: length u32, record
 *     WANT        4 | offer u32 | parts u32 | one bit each
 *     RECIPE      5 | batch u32 | offer u32 | id 32 | body
 *     CHUNK       6 | codec u8 (0 raw, 1 zstd) | batch u32 | raw length u32 | id 32 | bytes
 *     PACK        7 | codec u8 | batch u32 | raw length u32 | blobs u16 | length u16 each | bytes
 *     COMMIT      8 | batch u32
 *     COMMIT_ACK  9 | batch u32 | records u16 | missing: bits | refused: bits | stamped u16 |
 *                 for each: index u16, length u32, record
 *     CREDIT     10 | lane u8 | bytes u32
 *     CANCEL     11 | comparison u32 | kind u8
 *     PING 12, PONG 13 | number u64
 *     INVALIDATE 14 | epoch u32 | namespace: length u8, text
 *     GOAWAY     15 | kind u8
 */
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { utf8 } from "../../core/utf8.ts";
import { ByteWriter } from "../reconcile/byte_writer.ts";
import { LANE, SESSION_NUMBER, WIRE_KINDS } from "./messages.ts";
import type { SessionMessages } from "./messages.ts";

/** The side that tells: each call becomes the bytes of one message. */
export function encodeSession(send: (message: Bytes) => void): SessionMessages {
  function write(
    name: keyof SessionMessages,
    fill: (head: ByteWriter) => void,
    bodies: readonly Uint8Array[] = [],
  ): void {
    const head = new ByteWriter();
    head.u8(SESSION_NUMBER[name]);
    fill(head);
    send(bodies.length === 0 ? head.done() : concat([head.done(), ...bodies]));
  }

  return {
    hello: ({ oldest, newest, capabilities, clock }) =>
      write("hello", (head) => {
        for (const byte of [oldest, newest, 0]) head.u8(byte);
        head.u32(capabilities);
        head.u64(clock);
      }),
    compare: ({ comparison, body }) => write("compare", (head) => head.u32(comparison), [body]),
    records: ({ comparison, batch, last, records }) =>
      write("records", (head) => {
        head.u8(last ? 1 : 0);
        head.u32(comparison);
        head.u32(batch);
        head.u16(records.length);
      }, records.flatMap((record) => [length32(record), record])),
    want: ({ offer, wanted }) =>
      write("want", (head) => {
        head.u32(offer);
        head.u32(wanted.length);
        head.bits(wanted);
      }),
    recipe: ({ batch, offer, id, body }) =>
      write("recipe", (head) => {
        head.u32(batch);
        head.u32(offer);
        head.bytes(id);
      }, [body]),
    chunk: ({ batch, zstd, rawLength, id, bytes }) =>
      write("chunk", (head) => {
        head.u8(zstd ? 1 : 0);
        head.u32(batch);
        head.u32(rawLength);
        head.bytes(id);
      }, [bytes]),
    pack: ({ batch, zstd, rawLength, lengths, bytes }) =>
      write("pack", (head) => {
        head.u8(zstd ? 1 : 0);
        head.u32(batch);
        head.u32(rawLength);
        head.u16(lengths.length);
        for (const length of lengths) head.u16(length);
      }, [bytes]),
    commit: ({ batch }) => write("commit", (head) => head.u32(batch)),
    commitAck: ({ batch, missing, refused, stamped }) =>
      write("commitAck", (head) => {
        head.u32(batch);
        head.u16(missing.length);
        head.bits(missing);
        head.bits(refused);
        head.u16(stamped.length);
      }, stamped.flatMap(({ index, record }) => [index16(index), length32(record), record])),
    credit: (message) =>
      write("credit", (head) => {
        head.u8(LANE[message.class]);
        head.u32(message.bytes);
      }),
    cancel: ({ comparison, kind }) =>
      write("cancel", (head) => {
        head.u32(comparison);
        head.u8(kindNumber(kind));
      }),
    ping: ({ number }) => write("ping", (head) => head.u64(number)),
    pong: ({ number }) => write("pong", (head) => head.u64(number)),
    invalidate: ({ namespace, epoch }) =>
      write("invalidate", (head) => {
        head.u32(epoch);
        head.u8(namespace.length);
        head.bytes(utf8(namespace));
      }),
    goaway: ({ kind }) => write("goaway", (head) => head.u8(kindNumber(kind))),
  };
}

function kindNumber(kind: ErrorKind): number {
  return WIRE_KINDS.indexOf(kind);
}

function index16(index: number): Bytes {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, index, true);
  return bytes;
}

function length32(record: Bytes): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, record.length, true);
  return bytes;
}
