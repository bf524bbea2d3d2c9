/**
 * One process a folder: an advisory lock that the kernel gives back when its holder dies. The folder
 * itself is locked besides its file "lock", which says who it is and can be deleted by anybody.
 */
import { CacheError, toCacheError } from "../core/errors.ts";

/**
 * Takes the lock on a store's folder; disposing the result releases it.
 * @throws {CacheError} `conflict` when another process holds it, naming that process
 */
export async function lockFolder(dir: string, who: string): Promise<Disposable> {
  const path = `${dir}/lock`;
  const file = await openHere(path, { read: true, write: true, create: true, mode: 0o600 });
  let folder: Deno.FsFile | undefined;
  try {
    folder = await openHere(dir, { read: true });
    if (!await file.tryLock(true) || !await folder.tryLock(true)) {
      const holder = (await readHolder(path)) || "another process";
      throw new CacheError("conflict", `Cannot open the store "${dir}": ${holder} has it open`, {
        operation: "lock.take",
        hint: "talk to the running server with --url instead of --dir, or stop it first",
      });
    }
    await file.truncate(0);
    await file.write(new TextEncoder().encode(`${who}\n`));
  } catch (thrown) {
    file.close();
    folder?.close();
    throw toCacheError(thrown, "lock.take");
  }
  const held = [folder, file];
  let released = false;
  return {
    [Symbol.dispose]() {
      if (released) return;
      released = true;
      for (const one of held) {
        one.unlockSync();
        one.close();
      }
    },
  };
}

async function openHere(path: string, options: Deno.OpenOptions): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, options);
  } catch (thrown) {
    throw toCacheError(thrown, "lock.open");
  }
}

async function readHolder(path: string): Promise<string> {
  const text = await Deno.readTextFile(path);
  return text.split("\n", 1)[0]!.replace(/[^\x20-\x7e]/g, "?").slice(0, 120);
}
