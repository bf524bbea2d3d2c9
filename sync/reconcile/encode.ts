/**
 * Messages as bytes, little-endian; docs/protocol.md has the pictures.
 *
 *     OPEN   1 | version 1 | state | namespace: length u8, text | scope: length u8, text
 *     STATE  2 | version 1 | state
 *     state  = flags u8 (1: seen) | index id 8 | epoch u32 | sequence u64 | count u64 |
 *              horizon u64 | root 32 | seen: index id 8 | epoch u32 | sequence u64
 *     NODES  3 | exactness u8 | groups u16 | for each: 16 answers of 2 bits, the first lowest |
 *              for each answer 2 of all groups: bitmap u16 | a digest for each bit
 *     LEAF   4 | exactness u8 | leaves u16 | for each: tags u8 | the tags
 *     WANT   5 | exactness u8 | tags u16 | one bit each
 *     LIST   6 | exactness u8 | flags u8 (1: last) | tags u16 | the tags, or their distances
 *     CHECK  7 | exactness u8 | flags u8 (1: changed) | count u64 | root 32
 *
 * Exactness 1 has digests of 8 bytes and tags of 6, in a LIST the distance of each to the one
 * before (to -1 for the first) as a varint; 2 and 3 have 32 and 16.
 */
import type { Bytes } from "../../core/digest.ts";
import { ByteWriter } from "./byte_writer.ts";
import { EXACTNESS, MESSAGE_NUMBER, RECONCILE_VERSION, widthsOf } from "./messages.ts";
import type {
  Answer,
  Cursor,
  Exactness,
  LeafMessage,
  ListMessage,
  NodesMessage,
  PeerState,
  ReconcileMessages,
} from "./messages.ts";

/** Answers as numbers. */
export const ANSWER = { same: 0, tags: 1, digests: 2 } as const;

/** The side that tells: each call becomes the bytes of one message. */
export function encodeTo(send: (message: Bytes) => void): ReconcileMessages {
  function write(name: keyof ReconcileMessages, fill: (writer: ByteWriter) => void): void {
    const writer = new ByteWriter();
    writer.u8(MESSAGE_NUMBER[name]);
    fill(writer);
    send(writer.done());
  }

  return {
    open: ({ namespace, scope, state }) =>
      write("open", (writer) => {
        writer.u8(RECONCILE_VERSION);
        writeState(writer, state);
        writeText(writer, namespace);
        writeText(writer, scope);
      }),
    state: ({ state }) =>
      write("state", (writer) => {
        writer.u8(RECONCILE_VERSION);
        writeState(writer, state);
      }),
    nodes: (message) => write("nodes", (writer) => writeNodes(writer, message)),
    leaf: (message) => write("leaf", (writer) => writeLeaves(writer, message)),
    want: ({ exactness, wanted }) =>
      write("want", (writer) => {
        writeExactness(writer, exactness);
        writer.u16(wanted.length);
        writer.bits(wanted);
      }),
    list: (message) => write("list", (writer) => writeList(writer, message)),
    check: ({ exactness, changed, count, root }) =>
      write("check", (writer) => {
        writeExactness(writer, exactness);
        writer.u8(changed ? 1 : 0);
        writer.u64(count);
        writer.bytes(root);
      }),
  };
}

/** Bytes that these answers to one prefix take in a NODES message. */
export function groupBytes(answers: readonly Answer[], exactness: Exactness): number {
  const { digest } = widthsOf(exactness);
  return answers.reduce((sum, answer) => {
    if (typeof answer === "string") return sum;
    return sum + 2 + answer.filter((child) => child).length * digest;
  }, 4);
}

/** Bytes that these tags take in a LEAF message. */
export function leafBytes(tags: readonly string[], exactness: Exactness): number {
  return 1 + tags.length * widthsOf(exactness).tag;
}

function writeState(writer: ByteWriter, state: PeerState): void {
  writer.u8(state.seen ? 1 : 0);
  writeCursor(writer, state);
  writer.u64(state.count);
  writer.u64(state.horizon);
  writer.bytes(state.root);
  if (state.seen) writeCursor(writer, state.seen);
}

function writeCursor(writer: ByteWriter, { indexId, epoch, sequence }: Cursor): void {
  writer.hex(indexId);
  writer.u32(epoch);
  writer.u64(sequence);
}

function writeText(writer: ByteWriter, text: string): void {
  writer.u8(text.length); // names of namespaces and scopes are ASCII
  writer.bytes(new TextEncoder().encode(text));
}

function writeExactness(writer: ByteWriter, exactness: Exactness): void {
  writer.u8(EXACTNESS.indexOf(exactness));
}

function writeNodes(writer: ByteWriter, { exactness, groups }: NodesMessage): void {
  writeExactness(writer, exactness);
  writer.u16(groups.length);
  for (const answers of groups) {
    const numbers = answers.map((answer) =>
      typeof answer === "string" ? ANSWER[answer] : ANSWER.digests
    );
    writer.bits(numbers.flatMap((number) => [number % 2 === 1, number >= 2]));
  }
  for (const answer of groups.flat()) {
    if (typeof answer === "string") continue;
    writer.bits(answer.map((child) => child !== undefined));
    for (const child of answer) if (child) writer.bytes(child);
  }
}

function writeLeaves(writer: ByteWriter, { exactness, leaves }: LeafMessage): void {
  writeExactness(writer, exactness);
  writer.u16(leaves.length);
  for (const tags of leaves) {
    writer.u8(tags.length);
    for (const tag of tags) writer.hex(tag);
  }
}

function writeList(writer: ByteWriter, { exactness, last, tags }: ListMessage): void {
  writeExactness(writer, exactness);
  writer.u8(last ? 1 : 0);
  writer.u16(tags.length);
  let before = -1;
  for (const tag of tags) {
    if (exactness !== "short") writer.hex(tag);
    else {
      const number = parseInt(tag, 16);
      writer.varint(number - before);
      before = number;
    }
  }
}
