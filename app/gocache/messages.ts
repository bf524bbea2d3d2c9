/** What the go command and its cache helper say to each other: one JSON object a line. */
import { digestFromBytes } from "../../core/digest.ts";
import type { Digest } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";

/** A question of the go command. */
export interface GoRequest {
  /** Comes back in the answer. */
  readonly id: number;
  /** `get`, `put`, `close`; others are not announced and so never come. */
  readonly command: string;
  /** Hex digits of the action's 32 bytes; empty if none is named. */
  readonly action: string;
  /** Of a put: SHA-256 of the body. */
  readonly output: Digest | undefined;
  /** Of a put: bytes of the body, which follows in a line of its own unless there are none. */
  readonly bodySize: number;
}

/** The output of an action, in a file of this machine. */
export interface LocalOutput {
  readonly output: Digest;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970 when it was first stored, on whatever machine. */
  readonly time: number;
  /** Absolute. The file stays as it is while the go command runs. */
  readonly path: string;
}

/**
 * Reads one line.
 * @throws {CacheError} `invalid_argument` when it is no request: the two sides have lost each other
 */
export function parseRequest(line: string): GoRequest {
  const found = parseObject(line);
  const { ID: id, Command: command, ActionID, BodySize = 0 } = found;
  // Go 1.23 still said ObjectID.
  const output = bytesOf(found["OutputID"] ?? found["ObjectID"]);
  const action = bytesOf(ActionID);
  const fine = Number.isSafeInteger(id) && typeof command === "string" &&
    Number.isSafeInteger(BodySize) && BodySize as number >= 0 &&
    (action === undefined || action.length === 32) &&
    (output === undefined || output.length === 32);
  if (!fine) throw malformed();
  return {
    id: id as number,
    command,
    action: action?.toHex() ?? "",
    output: output && digestFromBytes(output),
    bodySize: BodySize as number,
  };
}

function parseObject(line: string): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(line);
    if (typeof found === "object" && found !== null) return found as Record<string, unknown>;
  } catch (cause) {
    throw malformed(cause);
  }
  throw malformed();
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw malformed();
  try {
    return Uint8Array.fromBase64(value);
  } catch (cause) {
    throw malformed(cause);
  }
}

/** The error of a line that can not come from a go command. */
export function malformed(cause?: unknown): CacheError {
  return new CacheError("invalid_argument", "Cannot read what the go command wrote: no request", {
    operation: "gocache.read",
    hint: "the go command starts this by itself: GOCACHEPROG='vitte-remote-cache go-cacheprog'",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The line that answers a hit. */
export function hitLine(id: number, { output, size, time, path }: LocalOutput): string {
  return line({
    ID: id,
    OutputID: Uint8Array.fromHex(output.slice("sha256-".length)).toBase64(),
    Size: size,
    Time: new Date(time).toISOString(),
    DiskPath: path,
  });
}

/** The line that answers a miss. */
export function missLine(id: number): string {
  return line({ ID: id, Miss: true });
}

/** The line that answers a put: where the bytes are now. */
export function storedLine(id: number, path: string): string {
  return line({ ID: id, DiskPath: path });
}

/** The line that says that it is done, for a close, or that it can not be done. */
export function endLine(id: number, error?: string): string {
  return line(error === undefined ? { ID: id } : { ID: id, Err: error });
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
