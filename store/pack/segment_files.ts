/** The files that segments are written to, on a disk or in memory. */
import fs from "node:fs";
import type { ByteSource } from "../../core/bytes.ts";
import { streamOf } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { READ_SLICE_BYTES } from "../../core/limits.ts";
import { pullBody } from "../pull_body.ts";
import { isMissing } from "./errors.ts";

/** A part of an array. */
export interface Part {
  readonly from: number;
  readonly length: number;
}

/** One open file. All calls are synchronous: the writer's thread has nothing else to do. */
export interface SegmentFile {
  /** Writes all parts one behind the other. What it throws may have written some of them. */
  write(parts: readonly Uint8Array[], offset: number): void;
  /** Up to `length` bytes, fewer at the end; memory of its own. */
  read(offset: number, length: number): Bytes;
  /** Fills a part of `target` from `offset` on; tells how many bytes there were. */
  readInto(target: Bytes, offset: number, part: Part): number;
  size(): number;
  /** Whether its name was taken away: what is written to it now is lost when it is closed. */
  gone(): boolean;
  truncate(size: number): void;
  /** Resolves nothing: what was written is on the disk when it returns. */
  sync(): void;
  close(): void;
}

/** The folder of segments that are not sealed yet. Names have no slash. */
export interface SegmentFiles {
  /** Makes a file whose name is durable when this returns. Throws if it is there already. */
  create(name: string): SegmentFile;
  /** For reading and writing; `undefined` if there is none. */
  open(name: string, mode?: "r" | "r+"): SegmentFile | undefined;
  /** Gives a file another name; durable. */
  rename(name: string, to: string): void;
  /** A missing one is fine. Not durable before {@linkcode SegmentFiles.sync}. */
  remove(name: string): void;
  /** Makes names, and that some are gone, durable. */
  sync(): void;
  list(): string[];
  /** The path of a file, `undefined` in memory. */
  pathOf(name: string): string | undefined;
  /** A file that will not change any more, to be stored elsewhere. */
  source(name: string, size: number): ByteSource;
}

/** The name of a segment's file. */
export function segmentFileName(name: string): string {
  return `${name}.seg`;
}

/** Small parts are gathered up to here, so that a round is one call. */
const GATHER_BYTES = 1024 * 1024;
/** A part from here on is not worth a copy. */
const LARGE_PART_BYTES = 128 * 1024;

/** The folder of segments that are not sealed, in the folder of a store. */
export const ACTIVE_FOLDER = "active";

/** Makes that folder when it is missing; durable. */
export function makeSegmentFolder(dir: string): void {
  fs.mkdirSync(`${dir}/${ACTIVE_FOLDER}`, { recursive: true, mode: 0o700 });
  syncFolder(dir);
}

/** The segment files in the folder of a store; it must be there when one is made. */
export function folderSegmentFiles(dir: string): SegmentFiles {
  const folder = `${dir}/${ACTIVE_FOLDER}`;
  const staging = new Uint8Array(GATHER_BYTES);
  const path = (name: string) => `${folder}/${name}`;
  return {
    create(name) {
      const fd = fs.openSync(path(name), "wx+", 0o600);
      try {
        syncFolder(folder);
      } catch (error) {
        fs.closeSync(fd);
        throw error;
      }
      return diskFile(fd, staging);
    },
    open(name, mode = "r+") {
      try {
        return diskFile(fs.openSync(path(name), mode), staging);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    rename(name, to) {
      fs.renameSync(path(name), path(to));
      syncFolder(folder);
    },
    remove: (name) => fs.rmSync(path(name), { force: true }),
    sync: () => syncFolder(folder),
    list: () => fs.readdirSync(folder).sort(),
    pathOf: path,
    source: (name, size) => ({
      size,
      replayable: true,
      path: path(name),
      open: (options) => readStream(path(name), size, options?.signal),
    }),
  };
}

/** Makes the names in a folder durable; file systems that can not say so by `EINVAL`. */
export function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(fd);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EINVAL") throw error;
  } finally {
    fs.closeSync(fd);
  }
}

/** Exactly `length` bytes at `offset`, or what there is before the end of the file. */
export function readAt(fd: number, offset: number, length: number): Bytes {
  const bytes = new Uint8Array(length);
  const done = fillAt(fd, bytes, offset, { from: 0, length });
  return done === length ? bytes : bytes.slice(0, done);
}

/** Fills a part of `target` from `offset` on; with fewer bytes only at the end of the file. */
export function fillAt(fd: number, target: Bytes, offset: number, part: Part): number {
  const { from, length } = part;
  let done = 0;
  while (done < length) {
    const read = fs.readSync(fd, target, from + done, length - done, offset + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

function diskFile(fd: number, staging: Uint8Array): SegmentFile {
  const writeAll = (bytes: Uint8Array, offset: number) => {
    for (let done = 0; done < bytes.length;) {
      const written = fs.writeSync(fd, bytes, done, bytes.length - done, offset + done);
      // A device that takes nothing and says nothing would keep us here for ever.
      if (written <= 0) throw Object.assign(new Error("short write"), { code: "EIO" });
      done += written;
    }
  };
  return {
    write(parts, offset) {
      let gathered = 0;
      const flush = () => {
        if (gathered > 0) writeAll(staging.subarray(0, gathered), offset);
        offset += gathered;
        gathered = 0;
      };
      for (const part of parts) {
        if (gathered + part.length > staging.length) flush();
        if (part.length >= LARGE_PART_BYTES) {
          flush();
          writeAll(part, offset);
          offset += part.length;
        } else {
          staging.set(part, gathered);
          gathered += part.length;
        }
      }
      flush();
    },
    read: (offset, length) => readAt(fd, offset, length),
    readInto: (target, offset, part) => fillAt(fd, target, offset, part),
    size: () => fs.fstatSync(fd).size,
    gone: () => fs.fstatSync(fd).nlink === 0,
    truncate: (size) => fs.ftruncateSync(fd, size),
    sync: () => fs.fdatasyncSync(fd),
    close: () => fs.closeSync(fd),
  };
}

function readStream(path: string, size: number, signal?: AbortSignal) {
  const fd = fs.openSync(path, "r");
  let offset = 0;
  return pullBody({
    read() {
      if (offset >= size) return undefined;
      const bytes = readAt(fd, offset, Math.min(READ_SLICE_BYTES, size - offset));
      if (bytes.length === 0) return undefined;
      offset += bytes.length;
      return bytes;
    },
    close: () => fs.closeSync(fd),
  }, { size, total: size, signal }).stream();
}

/** Segment files that are gone with the process. */
export function memorySegmentFiles(): SegmentFiles {
  const files = new Map<string, MemoryFile>();
  return {
    create(name) {
      if (files.has(name)) throw new TypeError(`Cannot make "${name}": it is there already`);
      const file = new MemoryFile();
      files.set(name, file);
      return file;
    },
    open: (name) => files.get(name),
    rename(name, to) {
      const file = files.get(name);
      if (!file) throw new TypeError(`Cannot rename "${name}": there is none`);
      files.delete(name);
      files.set(to, file);
    },
    remove: (name) => void files.delete(name),
    sync() {},
    list: () => [...files.keys()].sort(),
    pathOf: () => undefined,
    source(name, size) {
      const read = () => files.get(name)!.read(0, size);
      return { size, replayable: true, open: () => streamOf(read()) };
    },
  };
}

class MemoryFile implements SegmentFile {
  #bytes: Bytes = new Uint8Array(64 * 1024);
  #size = 0;

  write(parts: readonly Uint8Array[], offset: number): void {
    for (const part of parts) {
      this.#grow(offset + part.length);
      this.#bytes.set(part, offset);
      offset += part.length;
      this.#size = Math.max(this.#size, offset);
    }
  }
  read(offset: number, length: number): Bytes {
    return this.#bytes.slice(offset, Math.min(this.#size, offset + length));
  }
  gone(): boolean {
    return false;
  }
  readInto(target: Bytes, offset: number, { from, length }: Part): number {
    const bytes = this.#bytes.subarray(offset, Math.min(this.#size, offset + length));
    target.set(bytes, from);
    return bytes.length;
  }
  size(): number {
    return this.#size;
  }
  truncate(size: number): void {
    this.#size = Math.min(this.#size, size);
  }
  sync(): void {}
  close(): void {}
  #grow(size: number): void {
    if (size <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(size, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = bytes;
  }
}
