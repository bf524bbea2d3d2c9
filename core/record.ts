/** Records: what segments hold. The bytes are made by `codec/record.ts`. */
import type { Bytes } from "./digest.ts";

/** Kinds stand in the record header; nothing is ever guessed from a body. */
export type DataKind = "chunk" | "recipe" | "tree";
/** Kinds that live in log segments: compacted, never evicted. */
export type LogKind = "entry" | "tombstone" | "pin" | "visibility" | "audit";
/** Every kind. */
export type RecordKind = DataKind | LogKind;

/** The number of each kind on disk and on the wire; never reused. */
export const KIND_NUMBER: Readonly<Record<RecordKind, number>> = {
  chunk: 1,
  recipe: 2,
  tree: 3,
  entry: 4,
  tombstone: 5,
  pin: 6,
  visibility: 7,
  audit: 8,
};

/** One record: a 32-byte id that is opaque here, and its plain body. */
export interface PlainRecord<K extends RecordKind = RecordKind> {
  readonly kind: K;
  readonly id: Bytes;
  readonly body: Bytes;
}

/** A record of a data segment. */
export type DataRecord = PlainRecord<DataKind>;
/** A record of a log segment. */
export type LogRecord = PlainRecord<LogKind>;

/** Where a log record stands: log segments in order of their number, then bytes. */
export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

/**
 * The log as the index sees it; `store/pack` implements it. Log records are never evicted, so
 * everything the index holds can be rebuilt from here.
 */
export interface LogPort {
  /**
   * Appends records, one after the other and in one log segment; resolves with the position
   * *behind* the last one when they are durable. Records of one call are replayed all or, if torn,
   * from the first on.
   */
  append(records: readonly LogRecord[]): Promise<LogPosition>;
  /** All records behind `after` (default: from the first), in order, with the position behind each. */
  scan(after?: LogPosition): AsyncIterable<{ record: LogRecord; position: LogPosition }>;
  /** The position behind the last durable record. */
  end(): LogPosition;
  /**
   * Replaces all log segments before `upTo`'s end by these records: written to a new log segment
   * and durable before the old ones go. Nothing else is appended meanwhile.
   */
  compact(records: Iterable<LogRecord>): Promise<LogPosition>;
}
