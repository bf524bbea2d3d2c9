/** Folders that live as long as a test. */
import { statfsSync } from "node:fs";

/** A folder that is removed, with all that is in it, when disposed. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
  /** A path inside the folder. */
  join(...parts: string[]): string;
}

const live = new Set<string>();

/** The folders that are there now. */
export function liveFolders(): ReadonlySet<string> {
  return new Set(live);
}

/** Makes an empty folder of its own, in `below`: `await using dir = await tempDir()`. */
export async function tempDir(prefix = "vrc-test-", below?: string): Promise<TempDir> {
  const made = await Deno.makeTempDir({ prefix, ...(below === undefined ? {} : { dir: below }) });
  const path = await Deno.realPath(made);
  live.add(path);
  return {
    path,
    join: (...parts) => [path, ...parts].join("/"),
    async [Symbol.asyncDispose]() {
      live.delete(path);
      await Deno.remove(path, { recursive: true }).catch((error) => {
        // A test may have removed the folder itself; anything else is a failure of the test.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    },
  };
}

/**
 * A folder in memory, where there is a file system for that with `bytes` free: for stores whose
 * syncs cost time and prove nothing.
 */
export async function quickTempDir(bytes: number): Promise<TempDir> {
  const memory = "/dev/shm";
  try {
    const { bavail, bsize } = statfsSync(memory);
    if (bavail * bsize >= bytes) return await tempDir(undefined, memory);
  } catch (thrown) {
    // Not every system has it.
    if ((thrown as { code?: unknown }).code !== "ENOENT") throw thrown;
  }
  return await tempDir();
}

/** All files and links below a folder, as sorted relative paths; folders are left out. */
export async function listFiles(folder: string, below = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const item of Deno.readDir(folder)) {
    const path = below + item.name;
    if (item.isDirectory) found.push(...await listFiles(`${folder}/${item.name}`, `${path}/`));
    else found.push(path);
  }
  return found.sort();
}
