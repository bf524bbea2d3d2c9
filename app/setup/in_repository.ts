/** Whether a file could end up in somebody's repository: then no secret is written there. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { MAX_FOLDER_DEPTH } from "../../core/limits.ts";

/** What Git says of a file; `outside` is no repository, or one that ignores it. */
export type Tracking = "outside" | "tracked" | "untracked";

/**
 * Asks Git about a file whose folder is there, by the folder that it is really in. Without a
 * program `git`, or where it will not say, everything inside of a repository counts as tracked.
 */
export async function trackingOf(path: string): Promise<Tracking> {
  const folder = await Deno.realPath(dirname(path));
  if (!hasRepository(folder)) return "outside";
  const name = basename(path);
  const git = async (...words: string[]) => {
    const child = new Deno.Command("git", {
      args: ["-C", folder, ...words],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    });
    return (await child.output()).code;
  };
  try {
    // It refuses repositories of other users, for one; what is tracked in them is tracked.
    if (await git("rev-parse", "--is-inside-work-tree") !== 0) return "tracked";
    if (await git("ls-files", "--error-unmatch", "--", name) === 0) return "tracked";
    return await git("check-ignore", "-q", "--", name) === 0 ? "outside" : "untracked";
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return "tracked";
    throw thrown;
  }
}

function hasRepository(from: string): boolean {
  let at = from;
  for (let depth = 0; depth < MAX_FOLDER_DEPTH; depth++) {
    if (existsSync(join(at, ".git"))) return true;
    if (dirname(at) === at) return false;
    at = dirname(at);
  }
  return true;
}
