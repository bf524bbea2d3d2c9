/** What files are at one moment, so that a later look tells which of them were written since. */
import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import type { BigIntStats } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { FILE_TIME_MS } from "../../core/build_limits.ts";

/** The state of a file or link, as one text: equal texts are, but for the clock's steps, equal files. */
export type FileState = string;

/** Every file and link at and below some paths, by its path. */
export type Snapshot = ReadonlyMap<string, FileState>;

/** Looks at everything at and below these absolute paths; links are not followed. */
export function snapshot(paths: readonly string[]): Snapshot {
  const found = new Map<string, FileState>();
  for (const path of paths) visit(path, found);
  return found;
}

/**
 * The files that stand there now and are the same as before: whoever ran meanwhile did not write
 * them. One that was written and got its old time back within the same second counts as untouched:
 * that is the safe side.
 */
export function untouched(before: Snapshot, after: Snapshot): string[] {
  return [...after].filter(([path, state]) => before.get(path) === state).map(([path]) => path);
}

/**
 * Waits until a file that is written now gets another time than any of these: file systems count
 * time in steps.
 */
export async function settle(before: Snapshot, clock: Clock, signal: AbortSignal): Promise<void> {
  const last = [...before.keys()].reduce((most, path) => Math.max(most, writtenAt(path)), 0);
  const since = clock.now() - last;
  if (since >= 0 && since < FILE_TIME_MS) await clock.sleep(FILE_TIME_MS - since, signal);
}

function visit(path: string, found: Map<string, FileState>): void {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (!stats) return;
  if (!stats.isDirectory()) {
    found.set(path, stats.isSymbolicLink() ? linkState(path, stats) : stateOf(stats));
    return;
  }
  for (const name of readdirSync(path)) visit(join(path, name), found);
}

function linkState(path: string, stats: BigIntStats): FileState {
  return `${stateOf(stats)} ${readlinkSync(path)}`;
}

function stateOf({ dev, ino, mode, size, mtimeNs, ctimeNs }: BigIntStats): FileState {
  return [dev, ino, mode, size, mtimeNs, ctimeNs].join(" ");
}

function writtenAt(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
