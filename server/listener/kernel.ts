/**
 * What Linux lets a process see and do about its own connections: list them from `/proc`, and
 * `shutdown(2)` one through libc. The descriptor stays the runtime's, which then sees the end of
 * the stream and closes it by itself, so its number can not be taken from under the runtime.
 */
import { parseSockets } from "./proc_net.ts";
import type { LocalAddress, PortSockets } from "./proc_net.ts";
import { DIAG_SYMBOLS, SockDiag } from "./sock_diag.ts";

/** The kernel as the reaper needs it. */
export interface Kernel extends Disposable {
  /** Whether `cut` can work here: it takes a C library to call. */
  readonly cuts: boolean;
  /** The sockets of a port of this machine, also those of other processes on it. */
  sockets(local: LocalAddress): PortSockets;
  /** Ends those that are this process's own; tells how many. */
  cut(inodes: ReadonlySet<number>): number;
}

const SHUT_RDWR = 2;
const F_DUPFD_CLOEXEC = 1030;

const SYMBOLS = {
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  ...DIAG_SYMBOLS,
} as const;

/** Opens the kernel's side of things; `undefined` where there is no `/proc` to read. */
export function openKernel(options: { readonly libc?: boolean } = {}): Kernel | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const tables = openTables();
  if (tables.length === 0) return undefined;
  const libc = options.libc === false ? undefined : openLibc();
  let diag = libc && SockDiag.open(libc.symbols);
  return {
    cuts: libc !== undefined,
    sockets(local) {
      const told = diag?.sockets(local);
      if (told) return told;
      // It refused once, as in some containers: the text says the same.
      if (diag) libc?.symbols.close(diag.descriptor);
      diag = undefined;
      const parts = tables.map((table) => parseSockets(readAll(table), local));
      return {
        connections: parts.flatMap((part) => part.connections),
        listening: parts.flatMap((part) => part.listening),
      };
    },
    cut: (inodes) => libc ? cut(libc, inodes) : 0,
    [Symbol.dispose]() {
      for (const table of tables) table.close();
      if (diag) libc?.symbols.close(diag.descriptor);
      libc?.close();
    },
  };
}

/** How many descriptors this process may have; `undefined` where that can not be known. */
export function descriptorLimit(): number | undefined {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"));
    return line ? Number(line[1]) : undefined;
  } catch {
    return undefined; // no /proc here: then no limit is known, and none is worked towards
  }
}

/** How many it has open; `undefined` where that can not be known. */
export function descriptorsOpen(): number | undefined {
  try {
    return [...Deno.readDirSync("/proc/self/fd")].length;
  } catch (error) {
    // Not one is left to list them with.
    return outOfDescriptors(error) ? Number.POSITIVE_INFINITY : undefined;
  }
}

/** Whether an operation failed because there are no descriptors left, here or on the machine. */
export function outOfDescriptors(thrown: unknown): boolean {
  const code = (thrown as { code?: unknown } | undefined)?.code;
  return code === "EMFILE" || code === "ENFILE";
}

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>;

function openLibc(): Libc | undefined {
  // The second is the name where the C library is musl.
  for (const name of ["libc.so.6", `libc.musl-${Deno.build.arch}.so.1`]) {
    try {
      return Deno.dlopen(name, SYMBOLS);
    } catch {
      // Not this one. Without any the caller falls back, and says so.
    }
  }
  return undefined;
}

/** The tables stay open: there may be no descriptor left when they are needed most. */
function openTables(): Deno.FsFile[] {
  return ["/proc/self/net/tcp", "/proc/self/net/tcp6"].flatMap((path) => {
    try {
      return [Deno.openSync(path)];
    } catch {
      return []; // a machine without IPv6 has only the first
    }
  });
}

function readAll(file: Deno.FsFile): string {
  file.seekSync(0, Deno.SeekMode.Start);
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  for (;;) {
    const count = file.readSync(buffer);
    if (count === null) return text;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}

function cut(libc: Libc, inodes: ReadonlySet<number>): number {
  if (inodes.size === 0) return 0;
  const { symbols } = libc;
  let count = 0;
  for (const [descriptor, inode] of socketsOf(inodes)) {
    // Another thread may close this number and get it back for something else at any moment. A
    // copy belongs to us alone: look at the copy, then end what it stands for.
    const copy = symbols.fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    const target = copy < 0 ? descriptor : copy;
    if (inodeOf(target) === inode && symbols.shutdown(target, SHUT_RDWR) === 0) count++;
    if (copy >= 0) symbols.close(copy);
  }
  return count;
}

/** Descriptor and inode of each of our sockets that is in `inodes`. */
function socketsOf(inodes: ReadonlySet<number>): [number, number][] {
  const found: [number, number][] = [];
  for (const descriptor of descriptors()) {
    const inode = inodeOf(descriptor);
    if (inode !== undefined && inodes.has(inode)) found.push([descriptor, inode]);
    if (found.length === inodes.size) break;
  }
  return found;
}

function descriptors(): number[] {
  try {
    return [...Deno.readDirSync("/proc/self/fd")].map((entry) => Number(entry.name));
  } catch (error) {
    if (!outOfDescriptors(error)) throw error;
    // None left to list them with; but then all numbers below the limit are in use. The limit can
    // not be read either, so go up until a long stretch is empty.
    const numbers: number[] = [];
    for (let number = 0, empty = 0; empty < 256; number++) {
      if (exists(number)) numbers.push(number), empty = 0;
      else empty++;
    }
    return numbers;
  }
}

function exists(descriptor: number): boolean {
  try {
    Deno.readLinkSync(`/proc/self/fd/${descriptor}`);
    return true;
  } catch {
    return false; // nothing has this number
  }
}

function inodeOf(descriptor: number): number | undefined {
  try {
    const match = /^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(`/proc/self/fd/${descriptor}`));
    return match ? Number(match[1]) : undefined;
  } catch {
    return undefined; // closed since it was listed, so there is nothing to end
  }
}
