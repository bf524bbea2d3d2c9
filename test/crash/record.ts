/** Reads what `disk_recorder.c` wrote down, and builds that library. */
import { fromFileUrl } from "../helpers/paths.ts";

/** Calls by their number in the record. */
const CALLS = [
  "",
  "create",
  "write",
  "truncate",
  "sync",
  "rename",
  "link",
  "unlink",
  "mkdir",
  "rmdir",
  "say",
  "open",
  "kill",
  "allocate",
] as const;

/** The name of a recorded call. */
export type CallName = Exclude<typeof CALLS[number], "">;

/** One call, in the order in which it took effect. */
export interface Call {
  readonly name: CallName;
  /** Inode of the file or folder; 0 where there is none. */
  readonly ino: number;
  /** Offset of a write, new size of a truncation; 1 for a `sync` that was an `fdatasync`. */
  readonly offset: number;
  /** Relative to the folder; "" is the folder itself. For a kill: what was to be called. */
  readonly path: string;
  /** The new name of a rename or link; for a kill the path. */
  readonly other: string;
  readonly data: Uint8Array<ArrayBuffer>;
  /** Milliseconds by a clock that never goes back. */
  readonly at: number;
}

const HEADER_BYTES = 40;

/** The calls of a record about `dir`. A last one that is not whole is left out. */
export function readRecord(bytes: Uint8Array<ArrayBuffer>, dir: string): Call[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder();
  const calls: Call[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const name = CALLS[bytes[at]!];
    if (!name) throw new Error(`a record of disk_recorder.c is damaged at byte ${at}`);
    const [pathLength, otherLength] = [view.getUint16(at + 2, true), view.getUint16(at + 4, true)];
    const dataLength = view.getUint32(at + 8, true);
    const paths = at + HEADER_BYTES;
    const data = paths + pathLength + otherLength;
    if (data + dataLength > bytes.length) break;
    const raw = (from: number, length: number) => text.decode(bytes.subarray(from, from + length));
    const relative = (path: string) =>
      name === "kill" && !path.startsWith("/") ? path : inside(path, dir);
    calls.push({
      name,
      ino: Number(view.getBigUint64(at + 16, true)),
      offset: Number(view.getBigUint64(at + 24, true)),
      at: Number(view.getBigUint64(at + 32, true)) / 1e6,
      path: relative(raw(paths, pathLength)),
      other: relative(raw(paths + pathLength, otherLength)),
      data: bytes.subarray(data, data + dataLength),
    });
    at = data + dataLength;
  }
  return calls;
}

function inside(path: string, dir: string): string {
  if (path === "") return "";
  const parts: string[] = [];
  for (const part of path.slice(dir.length).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** What the program said, line by line; a line that was cut off is none. */
export function saidIn(calls: readonly Call[]): { line: string; at: number; call: number }[] {
  const text = new TextDecoder();
  const lines: { line: string; at: number; call: number }[] = [];
  let rest = "";
  calls.forEach(({ name, data, at }, call) => {
    if (name !== "say") return;
    const parts = (rest + text.decode(data)).split("\n");
    rest = parts.pop()!;
    for (const line of parts) lines.push({ line, at, call });
  });
  return lines;
}

/** Compiles the library into `folder`; tells its path. @throws {Error} without a C compiler */
export async function buildRecorder(folder: string): Promise<string> {
  const path = `${folder}/disk_recorder.so`;
  const args = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", path];
  const command = new Deno.Command("gcc", {
    args: [...args, fromFileUrl("../crash/disk_recorder.c"), "-ldl", "-lpthread"],
  });
  const { success, stderr } = await command.output();
  if (!success) throw new Error(`gcc failed: ${new TextDecoder().decode(stderr)}`);
  return path;
}

/** Where a program dies: the `nth` call of this name whose path holds `path` (`*`: any). */
export interface KillPoint {
  readonly call: CallName;
  readonly path: string;
  readonly nth: number;
  /** `torn`: after half of a write. */
  readonly how: "before" | "after" | "torn";
}

/** The environment that loads the recorder into a program. */
export function recorderEnv(
  options: { library: string; record: string; dir: string; kill: KillPoint | undefined },
): Record<string, string> {
  const { library, record, dir, kill } = options;
  return {
    LD_PRELOAD: library,
    DISK_RECORD_FILE: record,
    DISK_RECORD_DIR: dir,
    ...(kill ? { DISK_RECORD_KILL: `${kill.call} ${kill.path} ${kill.nth} ${kill.how}` } : {}),
  };
}
