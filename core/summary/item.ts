/** Item ids of summaries, and the part of their space that a prefix of hex digits names. */
import type { Bytes } from "../digest.ts";

/** Bytes of an item id; see `itemId` in codec/entry_id.ts. */
export const ITEM_BYTES = 16;
/** Hex digits of an item id: the deepest prefix. */
export const ITEM_DIGITS = 2 * ITEM_BYTES;

/** Where the ids of a summary stand, in their order. */
export interface ItemSource {
  /**
   * The ids that begin with these hex digits (lowercase, at most 32), ascending, one behind the
   * other, 16 bytes each. The caller owns them.
   */
  items(prefix: string): Bytes;
  /** The same of all ids behind `after` (`undefined`: from the first), at most `limit` of them. */
  after(after: Uint8Array | undefined, limit: number): Bytes;
}

/** The hex digit of an id at this depth, as a number. */
export function digitAt(id: Uint8Array, depth: number, offset = 0): number {
  const byte = id[offset + (depth >> 1)] ?? 0;
  return depth % 2 === 0 ? byte >> 4 : byte & 15;
}

/** The digits of a prefix, and then this one. */
export function below(prefix: string, digit: number): string {
  return prefix + digit.toString(16);
}

/** The first and the last id that begin with these digits. */
export function idsOf(prefix: string): { first: Bytes; last: Bytes } {
  return {
    first: Uint8Array.fromHex(prefix.padEnd(ITEM_DIGITS, "0")) as Bytes,
    last: Uint8Array.fromHex(prefix.padEnd(ITEM_DIGITS, "f")) as Bytes,
  };
}

/** Negative, zero or positive as the id at `offset` of `ids` stands before, at, or behind `id`. */
export function compareAt(ids: Uint8Array, offset: number, id: Uint8Array): number {
  for (let at = 0; at < ITEM_BYTES; at++) {
    const difference = ids[offset + at]! - id[at]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The index of the first of these ascending ids that is not below `id`; their number if none is. */
export function lowerBound(ids: Uint8Array, count: number, id: Uint8Array): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareAt(ids, middle * ITEM_BYTES, id) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Cuts ascending ids with a common prefix of `depth` digits at the next digit: 16 parts, in place. */
export function cutByDigit(ids: Bytes, depth: number): Bytes[] {
  const parts: Bytes[] = [];
  let from = 0;
  for (let digit = 0; digit < 16; digit++) {
    let to = from;
    while (to < ids.length && digitAt(ids, depth, to) === digit) to += ITEM_BYTES;
    parts.push(ids.subarray(from, to));
    from = to;
  }
  return parts;
}
