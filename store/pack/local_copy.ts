/** A segment as bytes that can be read without waiting, wherever it stands. */
import fs from "node:fs";
import type { ReadAt } from "../../codec/record_scan.ts";
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { packError } from "./errors.ts";
import type { SegmentRow } from "./places.ts";
import { readAt } from "./segment_files.ts";
import { fileSegment, objectKey, openSegment } from "./segment_bytes.ts";
import type { SegmentBytes, SegmentHome } from "./segment_bytes.ts";

/** A readable segment; whoever asked for it disposes it. */
export interface LocalCopy extends Disposable {
  readonly read: ReadAt;
  /** Bytes in all. */
  readonly size: number;
}

/**
 * Opens a segment for {@linkcode ReadAt}; an object of a far medium is fetched to a temporary file
 * first (in memory where there is no folder). `undefined` when it is not there.
 */
export async function localCopy(
  home: SegmentHome,
  segment: Pick<SegmentRow, "name" | "area" | "state">,
): Promise<LocalCopy | undefined> {
  const opened = openSegment(home, segment);
  if (opened?.local) return fromLocal(opened);
  return opened && await localObject(home, objectKey(segment));
}

/** The same for an object of which no row is known. */
export async function localObject(home: SegmentHome, key: string): Promise<LocalCopy | undefined> {
  const path = home.objects.capability.pathOf(key);
  if (path !== undefined) {
    const opened = fileSegment(path);
    return opened && fromLocal(opened);
  }
  const body = await home.objects.get(key);
  if (!body) return undefined;
  const temporary = home.files.pathOf(`${key.slice(key.lastIndexOf("/") + 1)}.fetch.tmp`);
  const stream = body.bytes ? [body.bytes] : body.stream();
  if (temporary === undefined) {
    const parts: Bytes[] = [];
    for await (const part of stream) parts.push(part);
    return fromBytes(concat(parts));
  }
  const fd = fs.openSync(temporary, "w+", 0o600);
  try {
    // The name goes at once: whatever happens, nothing is left behind.
    fs.rmSync(temporary);
    let size = 0;
    for await (const part of stream) {
      for (let done = 0; done < part.length;) {
        done += fs.writeSync(fd, part, done, part.length - done, size + done);
      }
      size += part.length;
    }
    return {
      read: (offset, length) => readAt(fd, offset, length),
      size,
      [Symbol.dispose]: () => fs.closeSync(fd),
    };
  } catch (error) {
    fs.closeSync(fd);
    throw packError(error, "fetch", `pack "${key}"`);
  }
}

function fromLocal(opened: SegmentBytes): LocalCopy {
  const read = (offset: number, length: number) => opened.read(offset, length) as Bytes;
  return { read, size: opened.size(), [Symbol.dispose]: () => opened[Symbol.dispose]() };
}

function fromBytes(bytes: Bytes): LocalCopy {
  return {
    read: (offset, length) => bytes.slice(offset, offset + length),
    size: bytes.length,
    [Symbol.dispose]() {},
  };
}
