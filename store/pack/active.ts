/** A segment that is being appended. */
import {
  encodeSegmentHeader,
  newSegmentId,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from "../../codec/segment.ts";
import type { SegmentKind } from "../../codec/segment.ts";
import { fromHex } from "../../core/digest.ts";
import type { Bytes } from "../../core/digest.ts";
import { segmentFileName } from "./segment_files.ts";
import type { SegmentFile, SegmentFiles } from "./segment_files.ts";

/** What does not change about a segment. */
export interface SegmentIdentity {
  readonly number: number;
  /** 16 bytes. */
  readonly id: Bytes;
  readonly name: string;
  readonly area: SegmentKind;
  /** Milliseconds since 1970. */
  readonly created: number;
}

/** Milliseconds between two looks at the name of the file: each costs as much as a small write. */
const LOOK_MS = 1000;

/** Appends to one file, and knows how much of it can be trusted. */
export class ActiveSegment {
  readonly identity: SegmentIdentity;
  readonly #file: SegmentFile;
  #end: number;
  #synced: number;
  #broken = false;
  #looked = -Infinity;

  /** A file whose first `end` bytes are good and durable. */
  constructor(identity: SegmentIdentity, file: SegmentFile, end: number) {
    this.identity = identity;
    this.#file = file;
    this.#end = this.#synced = end;
  }

  get number(): number {
    return this.identity.number;
  }
  /** Behind the last record that was written whole. */
  get end(): number {
    return this.#end;
  }
  /** Everything before is on the disk. */
  get synced(): number {
    return this.#synced;
  }
  /**
   * Whether it can not be appended any more: what stands behind `end` could not be cut off, or
   * somebody has removed the file.
   */
  get broken(): boolean {
    return this.#broken;
  }
  /** Looks whether its file still has a name, if the last look is a second old. */
  look(now: number): void {
    if (now - this.#looked < LOOK_MS) return;
    this.#looked = now;
    this.#broken ||= this.#file.gone();
  }
  get empty(): boolean {
    return this.#end <= SEGMENT_HEADER_BYTES;
  }

  /**
   * Writes all parts behind the end and tells where they begin. Nothing of them is kept when it
   * throws what the file, or `before`, threw.
   */
  write(parts: readonly Uint8Array[], before?: () => void): number {
    const at = this.#end;
    try {
      before?.();
      this.#file.write(parts, at);
    } catch (error) {
      this.#cut(at);
      throw error;
    }
    for (const part of parts) this.#end += part.length;
    return at;
  }

  /**
   * Makes everything written durable. When it throws, what was not durable before is given up for
   * good: the kernel may have forgotten pages it could not write, and a second sync would not
   * say so (https://wiki.postgresql.org/wiki/Fsync_Errors).
   */
  sync(before?: () => void): void {
    if (this.#synced === this.#end) return;
    try {
      before?.();
      this.#file.sync();
    } catch (error) {
      this.#broken = true;
      this.#cut(this.#synced);
      throw error;
    }
    this.#synced = this.#end;
  }

  close(): void {
    this.#file.close();
  }

  #cut(size: number): void {
    this.#end = size;
    try {
      this.#file.truncate(size);
    } catch {
      // What hangs over stays for the seal to cut; nothing may be written behind it meanwhile.
      this.#broken = true;
    }
  }
}

/** What a new segment is called. */
export function newSegmentName(now: number): { id: Bytes; name: string } {
  const id = newSegmentId(now);
  return { id, name: segmentName(id) };
}

/** Makes the file of a new segment, durable with its header. */
export function createSegmentFile(
  files: SegmentFiles,
  identity: SegmentIdentity,
  fileName = segmentFileName(identity.name),
): SegmentFile {
  const { area, id, created, number } = identity;
  const file = files.create(fileName);
  try {
    file.write([encodeSegmentHeader({ kind: area, id, created, number })], 0);
    file.sync();
    return file;
  } catch (error) {
    file.close();
    files.remove(fileName);
    throw error;
  }
}

/** The identity that a row of the tables stands for. */
export function identityOf(
  row: { number: number; name: string; area: SegmentKind; created: number },
): SegmentIdentity {
  const { number, name, area, created } = row;
  return { number, name, area, created, id: fromHex(name) };
}
