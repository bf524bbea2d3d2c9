/** A server as the commands see it. */
import { connectCache } from "../client/connect.ts";
import type { Clock } from "../core/clock.ts";
import type { Secret } from "../core/secret.ts";
import type { Opened } from "./opened.ts";

/** Options of {@linkcode connectStore}. */
export interface ConnectStoreOptions {
  readonly token: string | Secret<string> | undefined;
  readonly insecure: boolean;
  /** As `connectCache`. */
  readonly checkIdentity?: boolean;
  readonly onIdentity?: () => void;
  /** Variables that name proxies, as they are in the environment. */
  readonly proxyEnv?: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Milliseconds without a byte after which a request is given up. Default: the client's. */
  readonly idleMs?: number | undefined;
}

/**
 * Connects to a server; nothing is sent yet.
 * @throws {CacheError} as `connectCache`
 */
export function connectStore(url: string, options: ConnectStoreOptions): Opened {
  const cache = connectCache({ url, ...options });
  return {
    where: url,
    cache,
    maintenance: cache.admin,
    tokens: cache.admin,
    insight: cache.insight,
    pinning: cache.pinning,
    stats: () => cache.admin.stats(),
    whoami: () => cache.admin.whoami(),
    [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose](),
  };
}
