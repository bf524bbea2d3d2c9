/** Files being written: their names, and what becomes of those whose writer died. */
import { toHex } from "../../core/digest.ts";
import { codeOf, translateFsError } from "./errors.ts";

/** The folder of temporary files below the root. */
export const TEMP_FOLDER = ".tmp";

const TEMP_NAME = /^[a-z0-9_-]+-[0-9a-f]{2}-[a-z0-9._-]+\.[0-9a-f]{16}(\.link)?$/;

/** A name for a file on its way to `key`: it tells an operator what it was going to be. */
export function tempName(key: string, how: "written" | "linked" = "written"): string {
  const random = toHex(crypto.getRandomValues(new Uint8Array(8)));
  return `${key.replaceAll("/", "-")}.${random}${how === "linked" ? ".link" : ""}`;
}

/**
 * Removes a file if it is there. For clean-up after a failure, whose own error must not hide the
 * first one: what can not be removed now is removed as stale at an open a day later.
 */
export async function discardTemp(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (thrown) {
    if (codeOf(thrown) === undefined) throw thrown;
  }
}

/**
 * Removes temporary files older than `oldest` (milliseconds since 1970) by their own time: another
 * process may be writing the younger ones. A linked file has the time of its source, so the time of its last link
 * counts. Files with other names are not ours and stay.
 */
export async function removeStaleTemps(root: string, oldest: number): Promise<number> {
  const folder = `${root}/${TEMP_FOLDER}`;
  let removed = 0;
  try {
    for await (const item of Deno.readDir(folder)) {
      if (!TEMP_NAME.test(item.name)) continue;
      const path = `${folder}/${item.name}`;
      const info = await unlessGone(Deno.lstat(path));
      if (!info || info.isDirectory) continue;
      const time = item.name.endsWith(".link") ? info.ctime ?? info.mtime : info.mtime;
      if (time === null || time.getTime() >= oldest) continue;
      await unlessGone(Deno.remove(path));
      removed++;
    }
  } catch (thrown) {
    throw translateFsError(thrown, { verb: "clean", what: `folder "${folder}"` });
  }
  return removed;
}

/** Waits for a call on a file that another process may have removed meanwhile. */
export async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}
