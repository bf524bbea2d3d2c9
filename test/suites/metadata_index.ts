/** The conformance suite of `MetadataIndex` with batches, visibility and totals. */
import assert from "node:assert/strict";
import type { EntryIndex } from "../../index/contract.ts";
import { BATCH_CASES } from "./metadata_index_batches.ts";
import { ENTRY_CASES } from "./metadata_index_entries.ts";
import { SCAN_CASES } from "./metadata_index_scans.ts";
import { indexWorld } from "./metadata_index_world.ts";
import type { IndexWorld } from "./metadata_index_world.ts";

/** An index under test. Disposing it disposes the index and whatever else was opened for it. */
export interface IndexSubject extends AsyncDisposable {
  readonly index: EntryIndex;
}

/** One rule of the contract. */
export type IndexCase = (index: EntryIndex, world: IndexWorld) => Promise<void>;

/** Every rule by its name. */
export const INDEX_CASES: Readonly<Record<string, IndexCase>> = {
  ...ENTRY_CASES,
  ...BATCH_CASES,
  ...SCAN_CASES,
};

/**
 * Registers one test a rule; each has an index of its own, made by `open`, which has to use the
 * world's keys, clock and device and answer completeness through the world's `options`.
 */
export function metadataIndexSuite(
  name: string,
  open: (world: IndexWorld) => Promise<IndexSubject>,
): void {
  for (const [rule, check] of Object.entries(INDEX_CASES)) {
    Deno.test(`${name} ${rule}`, async () => {
      const world = indexWorld();
      await using subject = await open(world);
      await check(subject.index, world);
      assert.deepEqual(world.reports, [], "nothing is reported while all goes well");
      assert.equal(world.clock.sleeping > 1, false, "at most one timer waits");
    });
  }
}
