/** The files of the audit: `<folder>/<number>.log`, records one behind the other, no header. */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from "node:fs";
import type { Bytes } from "../../core/digest.ts";
import { toCacheError } from "../../core/errors.ts";
import type { CacheError } from "../../core/errors.ts";

/** A file of the audit as the folder has it. */
export interface AuditFile {
  readonly number: number;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

const NAME = /^(\d{8,15})\.log$/;

/** Makes the folder. @throws {CacheError} what the system threw */
export function makeAuditFolder(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    syncFolder(dir);
  } catch (thrown) {
    throw auditError(thrown, "make");
  }
}

/** The files that are there, the oldest first; none if there is no folder yet. */
export function auditFiles(dir: string): AuditFile[] {
  const found: AuditFile[] = [];
  for (const name of namesOf(dir)) {
    const digits = NAME.exec(name)?.[1];
    const path = `${dir}/${name}`;
    // One that goes between the two calls is too old for everybody.
    const stat = digits === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile()) found.push({ number: Number(digits), path, size: stat.size });
  }
  return found.sort((a, b) => a.number - b.number);
}

/** The path of a file. */
export function auditPath(dir: string, number: number): string {
  return `${dir}/${String(number).padStart(8, "0")}.log`;
}

/** Makes the names in the folder durable. */
export function syncFolder(dir: string): void {
  const folder = openSync(dir, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** An open file for {@linkcode scanRecords}; close it. `undefined` when it is gone. */
export function openAuditFile(path: string): OpenAuditFile | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "ENOENT") return undefined;
    throw auditError(thrown, "open");
  }
  return {
    read(offset, length) {
      const bytes = new Uint8Array(length);
      const count = readSync(descriptor, bytes, 0, length, offset);
      return bytes.subarray(0, count);
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}

/** A file that is being read. */
export interface OpenAuditFile extends Disposable {
  /** Reads `length` bytes, or fewer at the end. */
  read(offset: number, length: number): Bytes;
}

/** What the file system threw, in our words. */
export function auditError(thrown: unknown, verb: string): CacheError {
  return toCacheError(thrown, `audit.${verb}`);
}

function namesOf(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "ENOENT") return [];
    throw auditError(thrown, "list");
  }
}
