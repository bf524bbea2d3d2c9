/**
 * A cache that builds share, as a library: a folder of this machine, or a server.
 *
 * ```ts
 * import { getOrBuild, openCache } from "./mod.ts";
 *
 * const dir = await Deno.makeTempDir();
 * {
 *   await using cache = await openCache(dir);
 *   const build = () => Promise.resolve(new TextEncoder().encode("compiled"));
 *   const first = await getOrBuild(cache, "main.o", build);
 *   const second = await getOrBuild(cache, "main.o", build);
 *   if (first.hit || !second.hit) throw new Error("the second one has to be a hit");
 * }
 * await Deno.remove(dir, { recursive: true });
 * ```
 *
 * @module
 */
export { connectCache } from "./client/connect.ts";
export type { ConnectOptions } from "./client/connect.ts";
export { getOrBuild } from "./client/get_or_build.ts";
export type { BuildResult, GetOrBuildOptions } from "./client/get_or_build.ts";
export { openCache } from "./app/open_cache.ts";
export type { OpenCacheOptions } from "./app/open_cache.ts";
export { bytesSource, streamSource } from "./core/bytes.ts";
export type { ByteRange, ByteSource, ByteStream, ObjectBody, SignalOptions } from "./core/bytes.ts";
export type { BlobStore } from "./core/blob_store.ts";
export type { Cache, EntryLookup, RemoveOptions, Totals } from "./core/cache.ts";
export { digestOf, parseDigest } from "./core/digest.ts";
export type { Bytes, Digest } from "./core/digest.ts";
export type { BlobRef, Entry, EntryDraft, EntryKey, RemoveKey } from "./core/entry.ts";
export { CacheError } from "./core/errors.ts";
export type { ErrorKind, Retry } from "./core/errors.ts";
