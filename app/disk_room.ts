/** How much room the store may take: `--max-size`, or a share of the disk chosen once. */
import { statfsSync } from "node:fs";
import { toCacheError } from "../core/errors.ts";

/** Bytes of a file system. */
export interface DiskFacts {
  readonly free: number;
  readonly total: number;
}

/** A limit in bytes, and whether a reserve of the disk has to stay free. */
export interface RoomLimit {
  /** `undefined`: no limit. */
  readonly maxSize: number | undefined;
  readonly reserve: boolean;
}

const DEFAULT_SHARE = 0.8;
const LIMIT_FILE = "max-size";

/** Free (for this user) and total bytes of the file system that holds `dir`. */
export function diskFacts(dir: string): DiskFacts {
  const facts = statfsSync(dir);
  return { free: facts.bavail * facts.bsize, total: facts.blocks * facts.bsize };
}

/** Bytes that always stay free: 5 % of the disk, at least 1 GiB. */
export function reserveBytes(facts: DiskFacts): number {
  return Math.max(Math.floor(facts.total / 20), 1024 ** 3);
}

/** Facts and reserve of the disk that holds `dir`. */
export function diskRoom(dir: string): DiskFacts & { readonly reserve: number } {
  const facts = diskFacts(dir);
  return { ...facts, reserve: reserveBytes(facts) };
}

/**
 * The limit of this folder: what was asked for, else what the first start chose, 80 % of what was
 * free then. The choice is kept in `<dir>/max-size`, so that it does not shrink as the store grows.
 */
export async function roomLimit(
  dir: string,
  asked: number | "none" | undefined,
): Promise<RoomLimit> {
  if (asked === "none") return { maxSize: undefined, reserve: false };
  if (asked !== undefined) return { maxSize: asked, reserve: true };
  const path = `${dir}/${LIMIT_FILE}`;
  try {
    const kept = Number((await Deno.readTextFile(path)).trim());
    if (Number.isSafeInteger(kept) && kept > 0) return { maxSize: kept, reserve: true };
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw toCacheError(thrown, "room.read");
  }
  const chosen = Math.max(Math.floor(diskFacts(dir).free * DEFAULT_SHARE), 64 * 1024 ** 2);
  await Deno.writeTextFile(path, `${chosen}\n`);
  return { maxSize: chosen, reserve: true };
}
