/** What the index in memory holds, and small questions about it. */
import type { Digest } from "../core/digest.ts";
import { isNamespace } from "../core/entry.ts";
import type { BlobRef, EntryKey } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import type { ScanItem } from "../core/metadata_index.ts";
import type { Replacement } from "./contract.ts";
import { checkSize } from "./blob_check.ts";
import { compareText } from "../core/text_order.ts";

/** All that it holds; a batch works on a copy, so that a failed one changes nothing. */
export interface World {
  sequence: number;
  hlc: bigint;
  readonly versions: Map<string, ScanItem>;
  readonly visible: Map<string, Map<Digest, number>>;
  readonly replaced: Map<string, Replacement[]>;
}

/** A world with nothing in it. */
export function emptyWorld(): World {
  return { sequence: 0, hlc: 0n, versions: new Map(), visible: new Map(), replaced: new Map() };
}

/** A copy whose changes do not show in the original. */
export function copyWorld(world: World): World {
  return {
    ...world,
    versions: new Map(world.versions),
    visible: new Map([...world.visible].map(([name, seen]) => [name, new Map(seen)])),
    replaced: new Map(world.replaced),
  };
}

/** Blobs of a namespace in order of their digests, behind `after`. */
export function listed(
  world: World,
  { namespace, after, limit }: { namespace: string; after: Digest | undefined; limit: number },
): BlobRef[] {
  return [...world.visible.get(namespace) ?? []]
    .map(([digest, size]) => ({ digest, size }))
    .sort((a, b) => compareText(a.digest, b.digest))
    .filter(({ digest }) => after === undefined || compareText(digest, after) > 0)
    .slice(0, limit);
}

/** The identity of a row. */
export function keyOf(item: ScanItem): EntryKey {
  return item.type === "entry" ? item.entry : item.tombstone;
}

/** The sequence of a row. */
export function sequenceOf(item: ScanItem): number {
  return item.type === "entry" ? item.entry.sequence : item.tombstone.sequence;
}

/** The identity alone. */
export function identityOf({ namespace, scope, protocol, key }: EntryKey): EntryKey {
  return { namespace, scope, protocol, key };
}

/** Whether a key has an id: what is no well-formed text has no UTF-8. */
export function hasId({ key }: EntryKey): boolean {
  return key.isWellFormed();
}

/** @throws {CacheError} `invalid_argument` for a blob that cannot be linked */
export function checkLink(namespace: string, blob: BlobRef): void {
  checkSize(blob);
  if (isNamespace(namespace)) return;
  throw new CacheError("invalid_argument", `Cannot link a blob: "${namespace}" is no namespace`, {
    operation: "index.commit",
  });
}
