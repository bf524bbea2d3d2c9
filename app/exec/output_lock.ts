/**
 * Two runs that write the same files take turns, whatever their keys are: an output is locked for
 * itself alone, and the folders above it are locked against a run that writes one of them whole.
 *
 * The locks are advisory (`flock`) and lie in the user's cache folder, one file for each path; the
 * kernel gives them back when their holder dies. A program that outlives its killed `exec` still
 * writes then: its process id and start stand in the lock file, and the next one sees it.
 */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { digestOf } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { EXEC_STRAY_MS } from "../../core/build_limits.ts";

/** Options of {@linkcode lockOutputs}. */
export interface LockOptions {
  /** Where lock files are; made (0700) if need be. */
  readonly folder: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Hears once that somebody else is at work on the same files. */
  readonly onWait?: () => void;
  /** Milliseconds to wait for a program of an earlier, killed run. Default `EXEC_STRAY_MS`. */
  readonly strayMs?: number;
}

/** The locks of one run. Disposing it gives them back. */
export interface OutputLock extends Disposable {
  /** Whether somebody else wrote there meanwhile: what was asked before is out of date. */
  readonly waited: boolean;
  /** Whether a program of an earlier run, which was killed, is still at work. */
  readonly strayed: boolean;
  /** Says which process writes the outputs from now on. @throws what the system threw */
  mark(pid: number): void;
}

interface Held {
  readonly path: string;
  readonly file: Deno.FsFile;
  readonly alone: boolean;
}

/** Milliseconds between two looks at a lock that somebody has. */
const POLL_MS = 25;

/**
 * Locks these absolute paths, in an order that is the same for everybody.
 * @throws {CacheError} `permission_denied` for a folder of somebody else, errors of the system when it
 * can not be used, the signal's reason when aborted
 */
export async function lockOutputs(
  paths: readonly string[],
  options: LockOptions,
): Promise<OutputLock> {
  const { folder } = options;
  await ownFolder(folder);
  const held: Held[] = [];
  let waited = false;
  const release = () => {
    for (const lock of held.splice(0).reverse()) unlock(lock);
  };
  try {
    for (const [path, alone] of wanted(paths)) {
      const { lock, late } = await take(`${folder}/${nameOf(path)}`, alone, {
        ...options,
        onWait: () => {
          if (!waited) options.onWait?.();
          waited = true;
        },
      });
      waited ||= late;
      held.push(lock);
    }
  } catch (thrown) {
    release();
    throw thrown;
  }
  const own = held.filter((lock) => lock.alone);
  const { clock, signal, strayMs = EXEC_STRAY_MS } = options;
  const isStrayed = () => own.some(({ file }) => isAlive(read(file)));
  try {
    const began = clock.monotonic();
    while (isStrayed() && clock.monotonic() - began < strayMs) {
      if (!waited) options.onWait?.();
      waited = true;
      await clock.sleep(POLL_MS, signal);
    }
  } catch (thrown) {
    release();
    throw thrown;
  }
  return {
    waited,
    strayed: isStrayed(),
    mark(pid) {
      const text = `${pid} ${startOf(pid)}\n`;
      for (const { file } of own) write(file, text);
    },
    [Symbol.dispose]: release,
  };
}

/** Makes the folder. One that somebody else made could hold links to any file of this user's. */
async function ownFolder(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const { isDirectory, uid } = await Deno.lstat(folder);
  if (isDirectory && (uid === null || uid === Deno.uid())) return;
  throw new CacheError("permission_denied", `Cannot use "${folder}": it is somebody else's`, {
    operation: "exec.lock",
  });
}

/** Every path alone and every folder above it shared; a path that is both is taken alone. */
function wanted(paths: readonly string[]): [string, boolean][] {
  const all = new Map<string, boolean>();
  for (const path of paths) {
    for (let above = dirname(path); above !== dirname(above); above = dirname(above)) {
      all.set(above, all.get(above) ?? false);
    }
    all.set(path, true);
  }
  return [...all].sort(([a], [b]) => a < b ? -1 : 1);
}

async function take(
  path: string,
  alone: boolean,
  { clock, signal, onWait }: LockOptions,
): Promise<{ lock: Held; late: boolean }> {
  let late = false;
  while (true) {
    signal.throwIfAborted();
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
    try {
      while (!await file.tryLock(alone)) {
        late = true;
        onWait?.();
        await clock.sleep(POLL_MS, signal);
      }
      // Who had it may have removed it: then this is a lock on nothing.
      if (await isStill(path, file)) return { lock: { path, file, alone }, late };
    } catch (thrown) {
      file.close();
      throw thrown;
    }
    file.close();
  }
}

async function isStill(path: string, file: Deno.FsFile): Promise<boolean> {
  const [mine, there] = await Promise.all([
    file.stat(),
    Deno.stat(path).catch((thrown) => {
      if (thrown instanceof Deno.errors.NotFound) return undefined;
      throw thrown;
    }),
  ]);
  return there?.ino === mine.ino && there?.dev === mine.dev;
}

function unlock({ path, file, alone }: Held): void {
  try {
    // A shared one may have other holders, who would not meet those who come after a removal. If
    // somebody cleaned up meanwhile, the file of this name is another run's.
    if (alone && isStillNow(path, file)) Deno.removeSync(path);
  } catch {
    // A file that stays does no harm: it is the lock on it that counts, and the build is done.
  } finally {
    file.close();
  }
}

function isStillNow(path: string, file: Deno.FsFile): boolean {
  const [mine, there] = [file.statSync(), Deno.lstatSync(path)];
  return there.ino === mine.ino && there.dev === mine.dev;
}

function nameOf(path: string): string {
  return digestOf(new TextEncoder().encode(path)).slice(7, 39);
}

function read(file: Deno.FsFile): string {
  file.seekSync(0, Deno.SeekMode.Start);
  const bytes = new Uint8Array(64);
  const count = file.readSync(bytes) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, count));
}

function write(file: Deno.FsFile, text: string): void {
  file.truncateSync(0);
  file.seekSync(0, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode(text));
}

/** Whether a process with this id and this start is there; one of the same id began later. */
function isAlive(mark: string): boolean {
  const [pid, start] = mark.trim().split(" ");
  return pid !== undefined && /^\d+$/.test(pid) && start !== undefined && start !== "" &&
    startOf(Number(pid)) === start;
}

/** When a process began, in ticks since the start of the machine; empty where that is not told. */
function startOf(pid: number): string {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (thrown) {
    const { code } = thrown as { code?: unknown };
    if (code === "ENOENT" || code === "ESRCH") return "";
    throw thrown;
  }
  // The second field is a name in brackets, with anything in it. A zombie writes nothing any more.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? "" : fields[19] ?? "";
}
