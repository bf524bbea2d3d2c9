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
import { OutageBreaker, withDeadline } from "./outage_breaker.ts";

/** Options of {@linkcode getOrBuild}. */
export interface GetOrBuildOptions extends SignalOptions {
  /** Default `default`. */
  readonly namespace?: string;
  /** Scopes to read, first match wins; the first is written. A server goes by the token instead. Default `["main"]`. */
  readonly scopes?: readonly string[];
  readonly tags?: readonly string[];
  /** Bytes of the largest result that is read back. Default 10 GiB. */
  readonly limit?: number;
  /** Milliseconds a look-up may take in all; the transfer of a body may take longer. Default 5 s. */
  readonly lookupMs?: number;
  /** Hears of everything that went wrong with the cache; the build does not. Must not throw. */
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

interface CacheState {
  /** What is under way, by identity: two callers of one process build once. */
  readonly flights: Map<string, Promise<BuildResult>>;
  readonly breaker: OutageBreaker;
}

const LOOKUP_MS = 5_000;
const states = new WeakMap<Cache, CacheState>();

/**
 * The bytes stored under `key`, or those that `build` makes, which are stored then. A cache that
 * is down, slow or full is a miss with a word to `onError`; only `build` itself can fail. After an
 * outage the cache is left alone for 10 seconds, then one caller tries again.
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
  const state = states.get(cache) ?? { flights: new Map(), breaker: new OutageBreaker() };
  states.set(cache, state);
  const id = JSON.stringify([namespace, scopes, key]);
  let flight = state.flights.get(id);
  if (!flight) {
    flight = fly(state.breaker, { cache, key, build, options })
      .finally(() => state.flights.delete(id));
    state.flights.set(id, flight);
  }
  return await abortable(flight, signal);
}

interface Flight {
  readonly cache: Cache;
  readonly key: string;
  readonly options: GetOrBuildOptions;
  build(): Promise<Bytes>;
}

async function fly(breaker: OutageBreaker, flight: Flight): Promise<BuildResult> {
  const { cache, key, build, options } = flight;
  const found = await guarded(breaker, options, () => fetchBytes(cache, key, options));
  if (found) return { bytes: found, hit: true };
  const bytes = await build();
  await guarded(breaker, options, () => store(cache, key, bytes, options));
  return { bytes, hit: false };
}

/** Work on the cache that must not hurt: `undefined` when it failed, or was not even tried. */
async function guarded<T>(
  breaker: OutageBreaker,
  { onError, clock = systemClock }: GetOrBuildOptions,
  work: () => Promise<T>,
): Promise<T | undefined> {
  if (!breaker.allows(clock)) return undefined;
  try {
    const result = await work();
    breaker.succeeded();
    return result;
  } catch (thrown) {
    const error = toCacheError(thrown, "get_or_build");
    breaker.failed(error, clock);
    onError?.(error);
    return undefined;
  }
}

async function fetchBytes(
  cache: Cache,
  key: string,
  options: GetOrBuildOptions,
): Promise<Bytes | undefined> {
  const { namespace = "default", scopes = ["main"], limit = MAX_BLOB_BYTES } = options;
  const { clock = systemClock, lookupMs = LOOKUP_MS } = options;
  const lookup = { namespace, scopes, protocol: KEY_VALUE_PROTOCOL, key };
  const entry = await withDeadline((signal) => cache.find(lookup, { signal }), {
    clock,
    ms: lookupMs,
    what: `look up "${key}"`,
  });
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
