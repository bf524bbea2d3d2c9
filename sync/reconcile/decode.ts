/** Bytes as messages: every field is checked before anybody hears of it. */
import type { Bytes } from "../../core/digest.ts";
import { isNamespace, isScope } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import {
  RECONCILE_LEAF_ITEMS,
  RECONCILE_MAX_ITEMS,
  RECONCILE_MESSAGE_BYTES,
} from "../../core/limits.ts";
import { badMessage, ByteReader } from "./byte_reader.ts";
import { ANSWER } from "./encode.ts";
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

/**
 * Reads one message and tells `told` of it.
 * @throws {CacheError} `invalid_argument` for what no peer sends, `unsupported` for another version,
 * what `told` throws
 */
export function decode(message: Bytes, told: ReconcileMessages): void {
  if (message.length > RECONCILE_MESSAGE_BYTES) {
    throw badMessage(`a message has ${message.length} bytes, want ${RECONCILE_MESSAGE_BYTES}`);
  }
  const reader = new ByteReader(message);
  const number = reader.u8();
  switch (number) {
    case MESSAGE_NUMBER.open: {
      const state = readState(reader);
      const [namespace, scope] = [readText(reader), readText(reader)];
      reader.end();
      if (!isNamespace(namespace) || !isScope(scope)) throw badMessage("it names no namespace");
      return told.open({ namespace, scope, state });
    }
    case MESSAGE_NUMBER.state:
      return told.state({ state: ended(reader, readState(reader)) });
    case MESSAGE_NUMBER.nodes:
      return told.nodes(ended(reader, readNodes(reader)));
    case MESSAGE_NUMBER.leaf:
      return told.leaf(ended(reader, readLeaves(reader)));
    case MESSAGE_NUMBER.want: {
      const exactness = readExactness(reader);
      return told.want(ended(reader, { exactness, wanted: reader.bits(some(reader)) }));
    }
    case MESSAGE_NUMBER.list:
      return told.list(ended(reader, readList(reader)));
    case MESSAGE_NUMBER.check: {
      const exactness = readExactness(reader, true);
      const changed = readFlag(reader);
      const count = reader.count(RECONCILE_MAX_ITEMS);
      return told.check(ended(reader, { exactness, changed, count, root: reader.bytes(32) }));
    }
    default:
      throw badMessage(`there is no message ${number}`);
  }
}

function ended<T>(reader: ByteReader, message: T): T {
  reader.end();
  return message;
}

function readState(reader: ByteReader): PeerState {
  const version = reader.u8();
  if (version !== RECONCILE_VERSION) {
    throw new CacheError(
      "unsupported",
      `Cannot compare with the peer: its messages are of version ${version}, want ${RECONCILE_VERSION}`,
      { operation: "reconcile.receive" },
    );
  }
  const hasSeen = readFlag(reader);
  return {
    ...readCursor(reader),
    count: reader.count(RECONCILE_MAX_ITEMS),
    horizon: reader.u64(),
    root: reader.bytes(32),
    seen: hasSeen ? readCursor(reader) : undefined,
  };
}

function readCursor(reader: ByteReader): Cursor {
  return {
    indexId: reader.hex(8),
    epoch: reader.u32(),
    sequence: reader.count(Number.MAX_SAFE_INTEGER),
  };
}

/** Names are ASCII; any other byte becomes a character that no name has. */
function readText(reader: ByteReader): string {
  return String.fromCharCode(...reader.bytes(reader.u8()));
}

function readFlag(reader: ByteReader): boolean {
  const flags = reader.u8();
  if (flags > 1) throw badMessage(`flags are ${flags}, want 0 or 1`);
  return flags === 1;
}

function readExactness(reader: ByteReader, check = false): Exactness {
  const exactness = EXACTNESS[reader.u8()];
  if (exactness && (check || exactness !== "cursor")) return exactness;
  throw badMessage("it is of no exactness");
}

/** A count of what a message is there for: a message that brings nothing on could come for ever. */
function some(reader: ByteReader): number {
  const count = reader.u16();
  if (count === 0) throw badMessage("a message is empty");
  return count;
}

function readNodes(reader: ByteReader): NodesMessage {
  const exactness = readExactness(reader);
  const numbers = Array.from({ length: some(reader) }, () => {
    const bits = reader.bits(32);
    return Array.from(
      { length: 16 },
      (_, at) => (bits[2 * at] ? 1 : 0) + (bits[2 * at + 1] ? 2 : 0),
    );
  });
  const { digest } = widthsOf(exactness);
  const groups = numbers.map((answers) =>
    answers.map((number): Answer => {
      if (number === ANSWER.same) return "same";
      if (number === ANSWER.tags) return "tags";
      if (number !== ANSWER.digests) throw badMessage("an answer is none of three");
      const children = reader.bits(16);
      if (!children.includes(true)) throw badMessage("digests were promised, and none came");
      return children.map((is) => is ? reader.bytes(digest) : undefined);
    })
  );
  return { exactness, groups };
}

function readLeaves(reader: ByteReader): LeafMessage {
  const exactness = readExactness(reader);
  const { tag } = widthsOf(exactness);
  const leaves = Array.from({ length: some(reader) }, () => {
    const count = reader.u8();
    if (count > RECONCILE_LEAF_ITEMS) {
      throw badMessage(`a leaf has ${count} tags, want at most ${RECONCILE_LEAF_ITEMS}`);
    }
    return ascending(Array.from({ length: count }, () => reader.hex(tag)));
  });
  return { exactness, leaves };
}

function readList(reader: ByteReader): ListMessage {
  const exactness = readExactness(reader);
  const last = readFlag(reader);
  const count = reader.u16();
  if (count === 0 && !last) throw badMessage("a message is empty");
  let number = -1;
  const tags = Array.from({ length: count }, () => {
    if (exactness !== "short") return reader.hex(widthsOf(exactness).tag);
    number += reader.varint();
    if (number < 0 || number >= 2 ** 48) throw badMessage("a tag is no number of 48 bits");
    return number.toString(16).padStart(12, "0");
  });
  return { exactness, last, tags: ascending(tags) };
}

function ascending(tags: string[]): string[] {
  for (let at = 1; at < tags.length; at++) {
    if (tags[at - 1]! >= tags[at]!) throw badMessage("tags are not in order");
  }
  return tags;
}
