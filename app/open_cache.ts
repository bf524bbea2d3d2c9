/** A folder as a cache, for programs. */
import type { Cache } from "../core/cache.ts";
import { systemClock } from "../core/clock.ts";
import { openFolder } from "./compose.ts";

/** Options of {@linkcode openCache}. */
export interface OpenCacheOptions {
  /** Bytes it may take, or `none`. Default: 80 % of what was free when the folder was made. */
  readonly maxSize?: number | "none";
}

/**
 * Opens a folder as a cache, in this process, and makes it if need be. One process a folder;
 * disposing the cache closes it.
 *
 * ```ts
 * import { bytesSource, openCache } from "./mod.ts";
 *
 * const dir = await Deno.makeTempDir();
 * {
 *   await using cache = await openCache(dir, { maxSize: "none" });
 *   const blobs = cache.blobs("default");
 *   const { digest } = await blobs.put(undefined, bytesSource(new TextEncoder().encode("hi")));
 *   const body = await blobs.get(digest);
 *   if (body?.size !== 2) throw new Error("it is gone");
 *   await body.cancel();
 * }
 * await Deno.remove(dir, { recursive: true });
 * ```
 *
 * @throws {CacheError} `conflict` when another process has it open, `unsupported` for a newer
 * format, `invalid_argument` for a folder that holds something else
 */
export async function openCache(dir: string, options: OpenCacheOptions = {}): Promise<Cache> {
  const opened = await openFolder(dir, { clock: systemClock, ...options });
  const { cache } = opened;
  return {
    blobs: (namespace) => cache.blobs(namespace),
    find: (lookup, o) => cache.find(lookup, o),
    body: (entry, o) => cache.body(entry, o),
    put: (draft, body, o) => cache.put(draft, body, o),
    link: (draft, o) => cache.link(draft, o),
    remove: (keys, o) => cache.remove(keys, o),
    scan: (o) => cache.scan(o),
    totals: () => cache.totals(),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
