/** The one function a build needs: the cached result, or a fresh one, never an outage. */
import { abortable } from "../core/abort.ts";
import type { SignalOptions } from "../core/bytes.ts";
import { bodyBytes, bytesSource } from "../core/bytes.ts";
import type { Cache } from "../core/cache.ts";
import type { Clock } from "../core/clock.ts";
import { systemClock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import { toCacheError } from "../core/errors.ts";
import type { CacheError } from "../core/errors.ts";
import { MAX_BLOB_BYTES } from "../core/limits.ts";
import { KEY_VALUE_PROTOCOL } from "../protocol/url_space.ts";

/** Options of {@linkcode getOrBuild}. */
export interface GetOrBuildOptions extends SignalOptions {
  /** Default `default`. */
  readonly namespace?: string;
  /** Scopes to read, first match wins; the first is written. A server goes by the token instead. Default `["main"]`. */
  readonly scopes?: readonly string[];
  readonly tags?: readonly string[];
  /** Bytes of the largest result that is read back. Default 10 GiB. */
  readonly limit?: number;
  /** Hears of everything that went wrong with the cache; the build does not. */
  readonly onError?: (error: CacheError) => void;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** What came of it. */
export interface BuildResult {
  readonly bytes: Bytes;
  /** Whether it came from the cache. */
  readonly hit: boolean;
}

/** What is under way, by cache and identity: two callers of one process build once. */
const flights = new WeakMap<Cache, Map<string, Promise<BuildResult>>>();

/**
 * The bytes stored under `key`, or those that `build` makes, which are stored then. A cache that
 * is down, slow or full is a miss with a word to `onError`; only `build` itself can fail.
 *
 * Callers with the same key wait for one flight. It goes on when one of them is aborted: the
 * signal ends the waiting of its caller and is not handed to `build`.
 *
 * ```ts ignore
 * const { bytes } = await getOrBuild(cache, `app/${hash}`, () => compile(source));
 * ```
 */
export async function getOrBuild(
  cache: Cache,
  key: string,
  build: () => Promise<Bytes>,
  options: GetOrBuildOptions = {},
): Promise<BuildResult> {
  const { signal, namespace = "default", scopes = ["main"] } = options;
  signal?.throwIfAborted();
  const running = flights.get(cache) ?? new Map<string, Promise<BuildResult>>();
  flights.set(cache, running);
  const id = JSON.stringify([namespace, scopes, key]);
  let flight = running.get(id);
  if (!flight) {
    flight = fly(cache, key, build, options).finally(() => running.delete(id));
    running.set(id, flight);
  }
  return await abortable(flight, signal);
}

async function fly(
  cache: Cache,
  key: string,
  build: () => Promise<Bytes>,
  options: GetOrBuildOptions,
): Promise<BuildResult> {
  const report = (thrown: unknown) => options.onError?.(toCacheError(thrown, "get_or_build"));
  try {
    const bytes = await fetchBytes(cache, key, options);
    if (bytes) return { bytes, hit: true };
  } catch (thrown) {
    report(thrown);
  }
  const bytes = await build();
  try {
    await store(cache, key, bytes, options);
  } catch (thrown) {
    report(thrown);
  }
  return { bytes, hit: false };
}

async function fetchBytes(
  cache: Cache,
  key: string,
  { namespace = "default", scopes = ["main"], limit = MAX_BLOB_BYTES }: GetOrBuildOptions,
): Promise<Bytes | undefined> {
  const entry = await cache.find({ namespace, scopes, protocol: KEY_VALUE_PROTOCOL, key });
  const body = entry && await cache.body(entry);
  return body && await bodyBytes(body, limit);
}

async function store(
  cache: Cache,
  key: string,
  bytes: Bytes,
  { namespace = "default", scopes = ["main"], tags = [], clock = systemClock }: GetOrBuildOptions,
): Promise<void> {
  await cache.put({
    namespace,
    scope: scopes[0] ?? "main",
    protocol: KEY_VALUE_PROTOCOL,
    key,
    content: "opaque",
    blobs: [],
    tags,
    writer: "local",
    created: clock.now(),
    cost: 0,
    inputs: {},
    headers: {},
    mutability: "replaceable",
  }, bytesSource(bytes));
}
