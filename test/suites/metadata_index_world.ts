/** What the cases of the index suite stand on: keys, a clock, blobs that can be lost, drafts. */
import assert from "node:assert/strict";
import type { DomainKeys } from "../../codec/entry_id.ts";
import { noSeal } from "../../codec/seal.ts";
import { ManualClock } from "../../core/clock.ts";
import { digestOf } from "../../core/digest.ts";
import type { Digest } from "../../core/digest.ts";
import type { BlobRef, EntryDraft, EntryKey } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";
import type { ScanItem, ScanOptions, Visibility } from "../../core/metadata_index.ts";
import type { EntryIndex, WritingIndexOptions } from "../../index/contract.ts";

/** Options for an index, and the levers that a case pulls. */
export interface IndexWorld {
  readonly keys: DomainKeys;
  readonly clock: ManualClock;
  readonly device: string;
  /** Blobs whose bytes are gone, whatever visibility says. */
  readonly lost: Set<Digest>;
  /** What the index was told to report. */
  readonly reports: CacheError[];
  /** Options for an index whose visibility is known only once it is open. */
  options(visibility: () => Visibility): WritingIndexOptions;
}

/** Makes a world with fixed keys. */
export function indexWorld(): IndexWorld {
  const keys = { indexKey: new Uint8Array(32).fill(7) };
  const clock = new ManualClock();
  const device = "00112233aabbccdd";
  const lost = new Set<Digest>();
  return {
    keys,
    clock,
    device,
    lost,
    reports: [],
    options: (visibility) => ({
      keys,
      clock,
      device,
      seal: noSeal,
      present(namespace, blobs) {
        const sizes = visibility().find(namespace, blobs.map(({ digest }) => digest));
        return sizes.every((size, at) => size !== undefined && !lost.has(blobs[at]!.digest));
      },
    }),
  };
}

/** A blob whose bytes are this text. */
export function blob(text: string): BlobRef {
  const bytes = new TextEncoder().encode(text);
  return { digest: digestOf(bytes), size: bytes.length };
}

/** A key with defaults. */
export function keyed(key: string, rest: Partial<EntryKey> = {}): EntryKey {
  return { namespace: "default", scope: "main", protocol: "plain", key, ...rest };
}

/** A replaceable entry without blobs. */
export function draft(key: string, rest: Partial<EntryDraft> = {}): EntryDraft {
  return {
    ...keyed(key),
    content: "opaque",
    blobs: [],
    tags: [],
    writer: "anne",
    created: 1_700_000_000_000,
    cost: 0,
    inputs: {},
    headers: {},
    mutability: "replaceable",
    ...rest,
  };
}

/** Puts an entry and makes its blobs visible in one step. */
export async function putWhole(index: EntryIndex, entry: EntryDraft) {
  const { namespace, blobs } = entry;
  const { puts } = await index.commit({
    entries: [entry],
    link: blobs.map((one) => ({ namespace, blob: one })),
  });
  return puts[0]!;
}

/** All rows of a scan. */
export async function scanned(index: EntryIndex, options?: ScanOptions): Promise<ScanItem[]> {
  return await Array.fromAsync(index.scan(options));
}

/** `namespace/scope/protocol/key` of each row, tombstones with a cross. */
export async function names(index: EntryIndex, options?: ScanOptions): Promise<string[]> {
  return (await scanned(index, options)).map((item) => {
    const { namespace, scope, protocol, key } = item.type === "entry" ? item.entry : item.tombstone;
    const mark = item.type === "entry" ? "" : "†";
    return `${namespace}/${scope}/${protocol}/${key}${mark}`;
  });
}

/** The keys alone of each row. */
export async function keysOf(index: EntryIndex, options?: ScanOptions): Promise<string[]> {
  return (await scanned(index, options)).map((item) =>
    item.type === "entry" ? item.entry.key : item.tombstone.key
  );
}

/** Fails unless the call is refused with this kind. */
export async function refused(kind: ErrorKind, call: () => Promise<unknown>): Promise<CacheError> {
  let thrown: unknown;
  try {
    await call();
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof CacheError, `want ${kind}, got ${thrown}`);
  assert.equal(thrown.kind, kind, thrown.message);
  return thrown;
}

/** Moves the clock past every buffer and lets timers run. */
export async function settle(world: IndexWorld): Promise<void> {
  world.clock.advance(1000);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
