/** Fetches the contents of files and writes them where they go, many small ones in one request. */
import type { TreeEntry, TreeFile } from "../../codec/tree_manifest.ts";
import { batchesOf, isSmall } from "../../core/blob_batches.ts";
import type { BatchBlobStore } from "../../core/blob_batches.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Digest } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { turn, TURN_AFTER } from "../../core/turn.ts";
import { eachInParallel } from "../in_parallel.ts";
import type { TargetFolder } from "./target_folder.ts";
import type { TreePlace } from "./tree_place.ts";

/** Batches, or large files, that are fetched at a time. */
const LANES = 4;

/** An entry of a tree and where it goes. */
export interface Goal {
  readonly entry: TreeEntry;
  readonly place: TreePlace;
  /** Absolute. */
  readonly path: string;
}

/** A {@linkcode Goal} that is a file. */
export type FileGoal = Goal & { readonly entry: TreeFile };

/**
 * Writes all of these; tells the bytes that were fetched. Equal files are fetched once.
 * @throws {CacheError} `corrupt` when bytes were lost meanwhile
 */
export async function fetchFiles(
  blobs: BatchBlobStore,
  goals: readonly FileGoal[],
  target: TargetFolder,
  options: SignalOptions & { readonly onDone?: ((bytes: number) => void) | undefined },
): Promise<number> {
  const { signal, onDone } = options;
  const byDigest = new Map<Digest, FileGoal[]>();
  for (const goal of goals) {
    const same = byDigest.get(goal.entry.digest);
    if (same) same.push(goal);
    else byDigest.set(goal.entry.digest, [goal]);
  }
  const refs = [...byDigest.values()].map(([goal]): BlobRef => goal!.entry);
  let fetched = 0;
  const small = refs.filter(({ size }) => isSmall(size));
  const large = refs.filter(({ size }) => !isSmall(size)).map((ref) => [ref]);
  await eachInParallel([...large, ...batchesOf(small, ({ size }) => size)], LANES, fetchBatch);
  return fetched;

  async function fetchBatch(batch: readonly BlobRef[]): Promise<void> {
    signal?.throwIfAborted();
    const [first] = batch;
    if (first && !isSmall(first.size)) return await fetchLarge(first);
    const asked = batch.filter(({ size }) => size > 0);
    const found = await blobs.getBatch(asked.map(({ digest, size }) => ({ digest, size })), {
      signal,
    });
    const bytes = new Map(found.map((blob) => [blob.digest, blob.bytes]));
    for (const [n, { digest, size }] of batch.entries()) {
      if (n % TURN_AFTER === 0) await turn(signal);
      const contents = size === 0 ? new Uint8Array(0) : bytes.get(digest);
      if (!contents) throw lost(digest);
      fetched += size;
      for (const { entry, path, place } of byDigest.get(digest) ?? []) {
        target.file(path, place.anchor, { bytes: contents, mode: entry.mode });
        onDone?.(size);
      }
    }
  }

  async function fetchLarge({ digest }: BlobRef): Promise<void> {
    const [first, ...others] = byDigest.get(digest) ?? [];
    if (!first) return;
    const { entry, path, place } = first;
    const body = await blobs.get(digest, { signal });
    if (!body) throw lost(digest);
    try {
      if (body.size !== entry.size) throw lost(digest);
      const open = () => body.stream();
      await target.largeFile(path, place.anchor, { open, mode: entry.mode });
    } finally {
      await body.cancel();
    }
    fetched += entry.size;
    onDone?.(entry.size);
    for (const other of others) {
      target.copy(other.path, other.place.anchor, { path, mode: other.entry.mode });
      onDone?.(entry.size);
    }
  }
}

function lost(digest: Digest): CacheError {
  // The cache's doing, as an outage is: a build has to go on.
  return new CacheError("corrupt", `Cannot restore the tree: its blob ${digest} is gone`, {
    operation: "client.tree_fetch",
    hint: "the cache made room meanwhile; save the tree again",
  });
}
