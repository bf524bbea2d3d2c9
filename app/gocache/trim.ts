/** Keeps the local files to their size: who was used longest ago goes first. */
import { throwIfAborted } from "../../core/abort.ts";
import type { Clock } from "../../core/clock.ts";
import { toCacheError } from "../../core/errors.ts";
import { GO_KEEP_MS, GO_TRIM_MS } from "../../core/build_limits.ts";
import { STALE_TEMP_MS } from "../../core/limits.ts";

/** What a clean-up has to know. */
export interface TrimOptions {
  readonly clock: Clock;
  /** Bytes that the outputs may take; asked only when something may be to do. */
  maxBytes(): Promise<number>;
  /** Bytes that this process added. */
  readonly added: number;
  readonly signal: AbortSignal;
}

interface Found {
  readonly path: string;
  readonly size: number;
  readonly used: number;
}

/**
 * Removes outputs that were used longest ago until the rest takes at most nine tenths of the limit,
 * and the actions that led to them. What was used in the last six hours always stays: a go command
 * may have been told of it. Does nothing within a day of the last time, unless the folder has grown
 * above the limit since. Tells the bytes removed.
 */
export async function trim(dir: string, options: TrimOptions): Promise<number> {
  const { clock, added } = options;
  const path = `${dir}/trimmed`;
  const last = await readLast(path);
  const now = clock.now();
  const bytes = (last?.bytes ?? 0) + added;
  const recent = last !== undefined && now >= last.at && now - last.at <= GO_TRIM_MS;
  if (recent && added === 0) return 0;
  const maxBytes = await options.maxBytes();
  if (recent && bytes <= maxBytes) {
    await writeLast(path, { at: last.at, bytes });
    return 0;
  }
  // First, so that of two go commands that end together one does the work.
  await writeLast(path, { at: now, bytes: 0 });
  const { kept, removed } = await clean(dir, { ...options, maxBytes });
  await writeLast(path, { at: now, bytes: kept });
  return removed;
}

async function clean(
  dir: string,
  { clock, maxBytes, signal }: Omit<TrimOptions, "maxBytes"> & { readonly maxBytes: number },
): Promise<{ kept: number; removed: number }> {
  const now = clock.now();
  const outputs = await filesBelow(`${dir}/outputs`, signal);
  outputs.sort((a, b) => a.used - b.used);
  let kept = outputs.reduce((sum, { size }) => sum + size, 0);
  const goal = kept > maxBytes ? maxBytes * 0.9 : maxBytes;
  let removed = 0;
  let cutoff = -Infinity;
  for (const { path, size, used } of outputs) {
    if (kept <= goal || now - used < GO_KEEP_MS) break;
    await removeFile(path);
    kept -= size;
    removed += size;
    cutoff = used;
  }
  // An action is used no later than its output: what is older led to what is gone now, or nearly.
  for (const { path, used } of await filesBelow(`${dir}/actions`, signal)) {
    if (used <= cutoff) await removeFile(path);
  }
  for (const { path, used } of await filesBelow(`${dir}/new`, signal)) {
    if (now - used > STALE_TEMP_MS) await removeFile(path);
  }
  return { kept, removed };
}

async function filesBelow(dir: string, signal: AbortSignal): Promise<Found[]> {
  const found: Found[] = [];
  for (const { name, isDirectory } of await namesIn(dir)) {
    throwIfAborted(signal);
    const path = `${dir}/${name}`;
    if (isDirectory) {
      found.push(...await filesBelow(path, signal));
      continue;
    }
    const info = await infoOf(path);
    if (info) found.push({ path, size: info.size, used: info.mtime?.getTime() ?? 0 });
  }
  return found;
}

async function namesIn(dir: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(dir));
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return [];
    throw toCacheError(thrown, "gocache.trim");
  }
}

async function infoOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw toCacheError(thrown, "gocache.trim");
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (thrown) {
    // Somebody else cleans up, too.
    if (!(thrown instanceof Deno.errors.NotFound)) throw toCacheError(thrown, "gocache.trim");
  }
}

async function readLast(path: string): Promise<{ at: number; bytes: number } | undefined> {
  try {
    const [at, bytes] = (await Deno.readTextFile(path)).trim().split(" ").map(Number);
    return Number.isFinite(at) && Number.isFinite(bytes) ? { at: at!, bytes: bytes! } : undefined;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw toCacheError(thrown, "gocache.trim");
  }
}

async function writeLast(path: string, last: { at: number; bytes: number }): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  await Deno.writeTextFile(temporary, `${last.at} ${last.bytes}\n`);
  await Deno.rename(temporary, path);
}
