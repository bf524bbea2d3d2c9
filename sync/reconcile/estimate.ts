/** Whether to list all tags is cheaper than to go on with digests. */
import { RECONCILE_LEAF_ITEMS } from "../../core/limits.ts";
import { widthsOf } from "./messages.ts";

const { digest, tag } = widthsOf("short");

/** What one level showed. */
export interface LevelFacts {
  /** Items of this side, all of them. */
  readonly total: number;
  /** How many nodes were compared. */
  readonly compared: number;
  /** Items of each node that differs. */
  readonly differing: readonly number[];
}

/** Whether the list of all tags takes fewer bytes than what the digests suggest is still to come. */
export function isListCheaper({ total, compared, differing }: LevelFacts): boolean {
  if (differing.length === 0) return false;
  const clean = Math.max(compared - differing.length, 0.5) / compared;
  // Differences fall on nodes at random: so many on one, on the average of those that have any.
  const each = -Math.log(clean) / (differing.length / compared);
  const rest = differing.reduce((sum, items) => sum + bytesBelow(items, each), 0);
  return listBytes(total) < rest;
}

function bytesBelow(items: number, differences: number): number {
  if (items <= RECONCILE_LEAF_ITEMS) return 1 + items * tag;
  const dirty = 16 * (1 - Math.exp(-differences / 16));
  return 2 + 16 * digest + dirty * (1 + items / 16 * tag);
}

/** A varint holds 7 bits of the distance between two of so many tags of 48 bits. */
function listBytes(total: number): number {
  return total * Math.ceil((49 - Math.log2(Math.max(1, total))) / 7);
}
