/** The real handler with real tokens over a cache in memory, on a port of this machine. */
import { ensureAdminToken } from "../../auth/admin_token.ts";
import { createAuthenticator } from "../../auth/authenticate.ts";
import { answerChallenge } from "../../auth/identity.ts";
import { openServerKey } from "../../auth/server_key.ts";
import { openTokenStore } from "../../auth/token_store.ts";
import type { TokenStore } from "../../auth/token_store.ts";
import type { GcReport } from "../../core/cache.ts";
import { systemClock } from "../../core/clock.ts";
import { Counters } from "../../core/counters.ts";
import { policy } from "../../policy/decide.ts";
import { createHandler } from "../../server/handler.ts";
import { allowHosts } from "../../server/middleware/host.ts";
import { memoryInsight } from "./memory_insight.ts";
import { memoryPins, NO_ROOM_FACTS, NO_SHARES } from "./memory_pins.ts";
import { createMemoryCache } from "./memory_cache.ts";
import type { MemoryCache } from "./memory_cache.ts";

/** What `verify` and `gc` of a token server report. */
export const CLEAN = {
  segments: 1,
  records: 2,
  bytes: 3,
  entries: 4,
  quarantined: 0,
  lost: 0,
  broken_entries: 0,
  audit_rows: 5,
  audit_damaged: 0,
  repaired: 0,
  lost_blobs: [],
  problems: [{ what: "nothing", where: "nowhere" }],
};
/** As {@linkcode CLEAN}. */
export const FREED: GcReport = {
  dry_run: false,
  segments_removed: 1,
  records_removed: 2,
  record_bytes: 4,
  bytes_freed: 3,
  packs: [{ pack: "0a".repeat(16), bytes: 9, alive: 2, reason: "only 22 % alive" }],
  next: [],
  ...NO_SHARES,
};

/** A server that keeps its tokens in a folder. Disposing it stops it. */
export interface TokenServer extends AsyncDisposable {
  readonly url: string;
  readonly adminToken: string;
  readonly tokens: TokenStore;
  readonly memory: MemoryCache;
  /** Its access log: one line of JSON a request. */
  readonly seen: string[];
}

/** Options of {@linkcode startTokenServer}. */
export interface TokenServerOptions {
  /** Names beside loopback that it answers to. Default: every name. */
  readonly names?: readonly string[];
  /** PEM of a certificate and its key: then it speaks HTTPS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Starts one; its keys and tokens are made in `folder`. */
export async function startTokenServer(
  folder: string,
  options: TokenServerOptions = {},
): Promise<TokenServer> {
  await using stack = new AsyncDisposableStack();
  const clock = systemClock;
  const counters = new Counters();
  const serverKey = openServerKey(folder);
  const tokens = stack.use(
    openTokenStore(`${folder}/auth.sqlite`, { serverKey, clock, counters }),
  );
  const { path } = await ensureAdminToken(folder, tokens, { serverKey });
  const memory = createMemoryCache();
  const seen: string[] = [];
  const handler = createHandler({
    cache: memory,
    maintenance: { verify: async () => CLEAN, gc: async () => FREED },
    insight: memoryInsight(memory),
    pinning: memoryPins(memory),
    room: async () => NO_ROOM_FACTS,
    tokens,
    policy,
    clock,
    counters,
    authenticate: createAuthenticator({ store: tokens, clock, counters }).authenticate,
    prove: (question) => answerChallenge(serverKey, question),
    allowsHost: options.names ? allowHosts(options.names) : () => true,
    log: (event) => void seen.push(JSON.stringify(event)),
    metricsText: async () => "",
    publicRead: new Set(),
    limits: { maxBlobSize: 8 * 1024 * 1024, maxSize: 0 },
    version: "0.0.0",
    backend: "memory",
    uptimeSeconds: () => 1,
  });
  const stop = new AbortController();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", signal: stop.signal, onListen() {}, ...options.tls },
    (request, info) => handler(request, { remoteAddr: (info.remoteAddr as Deno.NetAddr).hostname }),
  );
  stack.defer(async () => {
    stop.abort();
    await server.finished;
  });
  const adminToken = (await Deno.readTextFile(path)).trim();
  const scheme = options.tls ? "https" : "http";
  const owned = stack.move();
  return {
    url: `${scheme}://127.0.0.1:${server.addr.port}`,
    adminToken,
    tokens,
    memory,
    seen,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
