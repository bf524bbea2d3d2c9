/** What a reader of packs is given. */
import type { DatabaseSync } from "node:sqlite";
import type { Counters } from "../../core/counters.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import type { RowsBehind } from "../../core/rows_behind.ts";
import type { DamagedPlace } from "./damage.ts";
import type { SegmentFiles } from "./segment_files.ts";

/** What a writer without a folder shares with readers of its own thread. */
export interface SharedStore {
  readonly db: DatabaseSync;
  readonly files: SegmentFiles;
}

/** Options of {@linkcode openPackReader}. */
export interface PackReaderOptions {
  /** The folder that a writer has open, or what a writer in memory shares. */
  readonly store: { readonly dir: string } | { readonly shared: SharedStore };
  /** Where sealed packs are. Not owned. */
  readonly objects: ObjectStore;
  readonly counters: Counters;
  /**
   * When SHA-256 of a chunk is compared with its id, besides CRC-32: `auto` on its first read after
   * an unclean stop and whenever it comes from a far medium. Default: `auto`.
   */
  readonly verify?: "auto" | "always" | undefined;
  /** Knows whether rows of the writer are still open. Default: none ever are. */
  readonly behind?: RowsBehind | undefined;
  /** Hears of places that failed their check, to hand them to the writer. */
  readonly onDamage?: ((place: DamagedPlace) => void) | undefined;
}
