/** What a pack writer is told, and what it tells. */
import type { SegmentKind } from "../../codec/segment.ts";
import type { Clock } from "../../core/clock.ts";
import type { Counters } from "../../core/counters.ts";
import type { CacheError } from "../../core/errors.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import type { Policy } from "../../core/policy.ts";
import type { OpenRows } from "../../core/rows_behind.ts";
import type { FaultHook } from "./faults.ts";
import type { QuarantineRow } from "./tables.ts";

/** Room on the disk that holds the folder. */
export interface DiskRoom {
  /** Bytes that may still be written. */
  readonly free: number;
  /** Bytes in all. */
  readonly total: number;
}

/** Whether an acknowledged write is on the disk. */
export type Durability = "strict" | "relaxed";

/** What happened to the store, for logs. */
export type PackEvent =
  /** A late check of the tables found something; the next start makes them again. */
  | { type: "tables_damaged"; problem: string }
  /** The tables were missing or damaged and were made again from segments and packs. */
  | { type: "rebuilt"; reason: string; damaged: boolean; segments: number; records: number }
  /** The last stop was unclean; `records` were found behind the tables, `torn` bytes were cut. */
  | { type: "recovered"; segment: string; records: number; torn: number }
  | { type: "damage"; row: QuarantineRow }
  /** A pack is gone from its medium, or can not be read at all. */
  | { type: "pack_lost"; segment: string; records: number }
  /** `reason`: why it was its turn; `moved`: bytes of it that were kept. */
  | {
    type: "evicted";
    segment: string;
    bytes: number;
    lost: number;
    moved: number;
    reason: string;
  }
  | { type: "sealed"; segment: string; bytes: number }
  /** Background work failed; it is tried again later and nothing is lost. */
  | { type: "failed"; what: string; error: CacheError };

/** Options of {@linkcode openPackWriter}. */
export interface PackWriterOptions {
  /** The folder of the store; `undefined`: everything in memory. */
  readonly dir: string | undefined;
  /** Where sealed packs go. Not owned. */
  readonly objects: ObjectStore;
  /** Bytes that all of it may take; `undefined`: no limit, no reserve. */
  readonly maxSize: number | undefined;
  /** Says which pack goes first when there is no room. */
  readonly policy: Pick<Policy, "evictionOrder">;
  /** Asks for the room on the disk; `undefined` where nobody knows. */
  readonly reserve: () => DiskRoom | undefined;
  /** Bytes of a data segment when it is sealed. Default: 1/32 of `maxSize`, 1 to 512 MiB. */
  readonly segmentSize?: number | undefined;
  /** What sealing does to bodies. Default: `none`. */
  readonly compression?: "none" | "zstd" | undefined;
  /**
   * `strict`: what is acknowledged is on the disk. `relaxed`: it is written, and on the disk within
   * `RELAXED_SYNC_MS`; a crash of the process loses nothing, one of the machine what came since.
   * Default: `strict`.
   */
  readonly durability?: Durability | undefined;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Lets transactions of new rows stay open for a while. Default: each is committed at once. */
  readonly openRows?: OpenRows | undefined;
  /** Checks SHA-256 of every chunk when it is moved. Default: only its CRC-32. */
  readonly verifyReads?: boolean | undefined;
  /** Bytes of other tables that count as this store's. Default: 0. */
  readonly otherBytes?: (() => number) | undefined;
  /** Bytes of the tables up to which they are checked before they are used. Default 16 MiB. */
  readonly checkFirstBytes?: number | undefined;
  /** Called before each step, for tests. */
  readonly faults?: FaultHook | undefined;
  readonly report: (event: PackEvent) => void;
  /** Segments that are about to be deleted: every thread must give up its descriptors. */
  readonly onRetire?: ((segments: readonly number[]) => void) | undefined;
}

/** Bytes: a log segment is read back whole by a rebuild of the index, so it stays smaller. */
export const MAX_LOG_SEGMENT_BYTES = 64 * 1024 * 1024;
const MIN_SEGMENT_BYTES = 1024 * 1024;
const MAX_SEGMENT_BYTES = 512 * 1024 * 1024;
/** A store of so many segments can evict in small steps. */
const SEGMENTS_PER_STORE = 32;

/** Bytes at which a segment of this kind is full. */
export function segmentLimit(
  options: Pick<PackWriterOptions, "maxSize" | "segmentSize">,
  area: SegmentKind,
): number {
  const share = Math.floor((options.maxSize ?? Infinity) / SEGMENTS_PER_STORE);
  const size = options.segmentSize ??
    Math.max(MIN_SEGMENT_BYTES, Math.min(MAX_SEGMENT_BYTES, share));
  return area === "data" ? size : Math.min(size, MAX_LOG_SEGMENT_BYTES);
}

/** Bytes of the disk that stay free: 5 %, at least 1 GiB. */
export function reserveOf(room: DiskRoom): number {
  return Math.max(room.total * 0.05, 1024 ** 3);
}
