/** From an address and a token to a cache. */
import type { Clock } from "../core/clock.ts";
import { systemClock } from "../core/clock.ts";
import { isNamespace } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { CLIENT_IDLE_MS } from "../core/limits.ts";
import { Secret } from "../core/secret.ts";
import { parseToken } from "../core/token.ts";
import { HttpClient } from "./http.ts";
import { RemoteAdmin } from "./remote_admin.ts";
import { RemoteCache } from "./remote_cache.ts";
import { parseServerUrl } from "./server_url.ts";
import { SizedUploads } from "./sized_upload.ts";

/** Options of {@linkcode connectCache}. */
export interface ConnectOptions {
  /** `http://host:8080` or `https://host/prefix`, without user, password or query. */
  readonly url: string;
  readonly token?: string | Secret<string> | undefined;
  /** For calls that name none. Default `default`. */
  readonly namespace?: string | undefined;
  /**
   * Default: the runtime's, with connections of its own that disposing the cache closes. Another
   * one is given large uploads too, as streams.
   */
  readonly fetch?: typeof fetch | undefined;
  /**
   * Folder where a stream above 1 MiB that tells no size is kept while it is sent, in a file
   * without a name. Default: the system's for temporary files.
   */
  readonly spoolDir?: string | undefined;
  /**
   * The environment's variables that name proxies, for large uploads: the runtime's `fetch` reads
   * them by itself. Default: none, and large uploads go straight to the server.
   */
  readonly proxyEnv?: Readonly<Record<string, string>> | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  /** Milliseconds without a byte in either direction after which a request is given up. Default 30 s. */
  readonly idleMs?: number | undefined;
  /**
   * Send the token over plain HTTP to another machine, after that one has proved that it is the
   * server the token names. Whoever is on the way can read it all the same. Default false.
   */
  readonly insecure?: boolean | undefined;
  /** Ask for that proof before the first use of a token. Default: only when `insecure` matters. */
  readonly checkIdentity?: boolean | undefined;
  /** Called when the proof succeeded, before the token is sent. */
  readonly onIdentity?: (() => void) | undefined;
}

/**
 * A server as a `Cache`. Nothing is sent before the first call; disposing it closes its
 * connections.
 * @throws {CacheError} `invalid_argument` for a URL, token or namespace that can not be one,
 * `permission_denied` when the token would cross a network in the clear
 */
export function connectCache(options: ConnectOptions): RemoteCache {
  const url = parseServerUrl(options.url);
  const { insecure = false, namespace = "default" } = options;
  if (!isNamespace(namespace)) {
    throw new CacheError("invalid_argument", `Cannot use namespace "${namespace.slice(0, 80)}"`, {
      operation: "client.connect",
    });
  }
  const text = options.token instanceof Secret ? options.token.reveal() : options.token;
  const token = text === undefined ? undefined : parseToken(text);
  if (text !== undefined && !token) {
    throw new CacheError("invalid_argument", "Cannot use the token: it is damaged or too short", {
      operation: "client.connect",
      hint: "was it cut off, or are there blanks or a line end in it?",
    });
  }
  if (token && url.exposed && !insecure) {
    throw new CacheError(
      "permission_denied",
      `Cannot send the token to ${url.base}: everybody on the way could read it, want https`,
      { operation: "client.connect", hint: "use https, or --insecure in a network you trust" },
    );
  }
  const uploads = options.fetch ? undefined : new SizedUploads(options.proxyEnv);
  const own = options.fetch ? undefined : Deno.createHttpClient({});
  const ownFetch: typeof fetch = (input, init) => {
    const withClient: RequestInit & { client?: Deno.HttpClient } = { ...init, client: own! };
    return fetch(input, withClient);
  };
  const check = options.checkIdentity ?? url.exposed;
  const http: HttpClient = new HttpClient({
    url,
    token: text === undefined ? undefined : new Secret(text),
    fetch: options.fetch ?? ownFetch,
    uploads,
    spoolDir: options.spoolDir,
    clock: options.clock ?? systemClock,
    idleMs: options.idleMs ?? CLIENT_IDLE_MS,
    beforeToken: check && token?.type === "issued"
      ? async () => {
        await admin.requireIdentity(token);
        options.onIdentity?.();
      }
      : undefined,
  });
  const admin = new RemoteAdmin(http);
  const close = () => {
    own?.close();
    uploads?.[Symbol.dispose]();
  };
  return new RemoteCache(http, { admin, namespace, close });
}
