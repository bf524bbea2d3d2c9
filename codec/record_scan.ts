/** Reads records one after the other, and finds the way again behind damage. */
import { Buffer } from "node:buffer";
import type { Bytes } from "../core/digest.ts";
import { MAX_RECORD_BYTES } from "../core/limits.ts";
import { checkBody, decodeHeader, RECORD_HEADER_BYTES, RECORD_MAGIC } from "./record.ts";
import type { RecordHeader } from "./record.ts";

/** What {@linkcode scanRecords} comes across, in order of offsets. */
export type ScanEvent =
  | {
    readonly type: "record";
    readonly header: RecordHeader;
    /** Where its header begins. */
    readonly offset: number;
    /** The body, checked by its CRC; a view of what `read` returned. */
    readonly stored: Bytes;
  }
  /** Bytes that are no record, with a good record somewhere behind them. */
  | { readonly type: "damage"; readonly offset: number; readonly length: number }
  /** Always the last: behind the last good record. `length` is 0 if nothing follows it. */
  | { readonly type: "tail"; readonly offset: number; readonly length: number };

/**
 * Reads `length` bytes at `offset`, or fewer where the medium ends. The memory must stay as it is
 * for as long as the caller of the scan uses a record.
 */
export type ReadAt = (offset: number, length: number) => Bytes;

/** Bytes read at a time: large enough to be fast, small enough for many scans at once. */
const WINDOW_BYTES = 2 * 1024 * 1024;

/**
 * Bodies that may fail their check during one search. Each costs a read of up to 16 MiB at an
 * offset that whoever wrote the damaged body may have chosen; later ones are stepped over whole.
 */
const MAX_SEARCH_BODIES = 16;

/**
 * Walks all records in `[from, end)`. What is damaged before a later good record is `damage`; what
 * follows the last good record is the `tail`, as a torn write leaves it. Holds one window (2 MiB,
 * or the largest record) in memory. What `read` throws goes through.
 *
 * Behind a header that is whole, with a body that is not, the scan goes on behind that body and
 * never looks for records inside it: bodies hold foreign bytes, and these may look like records.
 */
export function* scanRecords(read: ReadAt, from: number, end: number): Generator<ScanEvent> {
  const window = new Window(read, end);
  let good = from;
  let at = from;
  while (at < end) {
    const found = recordAt(window, at);
    if (found.type !== "good") {
      at = found.type === "body" ? found.next : at + 1;
      const next = search(window, at);
      if (next === undefined) break;
      yield { type: "damage", offset: good, length: next - good };
      good = at = next;
      continue;
    }
    yield { type: "record", header: found.header, offset: at, stored: found.stored };
    good = at = found.next;
  }
  yield { type: "tail", offset: good, length: Math.max(0, end - good) };
}

type Found =
  | {
    readonly type: "good";
    readonly header: RecordHeader;
    readonly stored: Bytes;
    readonly next: number;
  }
  /** The header is whole, its body is not. */
  | { readonly type: "body"; readonly next: number }
  | { readonly type: "nothing" };

const NOTHING: Found = { type: "nothing" };

function recordAt(window: Window, at: number): Found {
  const headerBytes = window.view(at, RECORD_HEADER_BYTES);
  const header = headerBytes && decodeHeader(headerBytes);
  if (!header) return NOTHING;
  const bodyAt = at + RECORD_HEADER_BYTES;
  const next = bodyAt + header.storedLength;
  const stored = window.view(bodyAt, header.storedLength);
  if (!stored || !checkBody(header, stored)) return { type: "body", next };
  return { type: "good", header, stored, next };
}

/** The offset of the first good record at or behind `at`. */
function search(window: Window, at: number): number | undefined {
  let bodies = 0;
  for (let next = window.find(at); next !== undefined; next = window.find(at)) {
    const found = recordAt(window, next);
    if (found.type === "good") return next;
    const skip = found.type === "body" && ++bodies > MAX_SEARCH_BODIES;
    at = skip ? found.next : next + 1;
  }
  return undefined;
}

/** The part of the medium that was read last. */
class Window {
  readonly #read: ReadAt;
  #end: number;
  #offset = 0;
  #bytes: Bytes = new Uint8Array(0);

  constructor(read: ReadAt, end: number) {
    this.#read = read;
    this.#end = end;
  }
  /** Exactly these bytes, or `undefined` if they reach past the end. */
  view(offset: number, length: number): Bytes | undefined {
    if (offset + length > this.#end) return undefined;
    if (!this.#holds(offset, length)) this.#load(offset, length);
    if (!this.#holds(offset, length)) return undefined;
    const start = offset - this.#offset;
    return this.#bytes.subarray(start, start + length);
  }
  /** The offset of the first magic at or behind `from`. */
  find(from: number): number | undefined {
    const magic = RECORD_MAGIC;
    let offset = from;
    while (offset + RECORD_HEADER_BYTES <= this.#end) {
      if (!this.#holds(offset, magic.length)) this.#load(offset, magic.length);
      const start = offset - this.#offset;
      if (this.#bytes.length - start < magic.length) return undefined;
      const { buffer, byteOffset, length } = this.#bytes;
      const at = Buffer.from(buffer, byteOffset, length).indexOf(magic, start);
      if (at >= 0) return this.#offset + at;
      // A magic may begin in the last three bytes of this window.
      offset = this.#offset + this.#bytes.length - (magic.length - 1);
    }
    return undefined;
  }
  #holds(offset: number, length: number): boolean {
    return offset >= this.#offset && offset + length <= this.#offset + this.#bytes.length;
  }
  #load(offset: number, length: number): void {
    const want = Math.min(Math.max(length, WINDOW_BYTES), MAX_RECORD_BYTES, this.#end - offset);
    this.#bytes = this.#read(offset, want);
    this.#offset = offset;
    // The medium is shorter than it was said to be.
    if (this.#bytes.length < want) this.#end = offset + this.#bytes.length;
  }
}
