/** The HTTP suite's server with everything real: engine, tokens, port. */
import { createAuthenticator } from "../../auth/authenticate.ts";
import { answerChallenge } from "../../auth/identity.ts";
import { openServerKey } from "../../auth/server_key.ts";
import { openTokenStore } from "../../auth/token_store.ts";
import { openEngine } from "../../app/compose.ts";
import { pathsOf } from "../../app/folder_parts.ts";
import { systemClock } from "../../core/clock.ts";
import type { RoomFacts } from "../../core/quota.ts";
import { Counters } from "../../core/counters.ts";
import { MAX_BLOB_BYTES } from "../../core/limits.ts";
import type { Verb } from "../../core/policy.ts";
import type { TokenAdmin, TokenRights } from "../../core/token_admin.ts";
import { policy } from "../../policy/decide.ts";
import { createHandler } from "../../server/handler.ts";
import { allowHosts } from "../../server/middleware/host.ts";
import type { HttpFixture, HttpTokens } from "../suites/http_api.ts";
import { rawHttp } from "./raw_request.ts";

/**
 * Opens a store in a folder of its own and serves it. `asks`: how often each read that finds
 * something is asked before its answer counts; what was asked before may come from memory.
 */
export async function createEngineFixture(asks = 1): Promise<HttpFixture> {
  await using stack = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "vitte-http-" });
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  const engine = stack.use(await openEngine(dir, { clock: systemClock }));
  await engine.settleIn();
  const counters = new Counters();
  const serverKey = openServerKey(dir);
  const options = { serverKey, clock: systemClock, counters };
  const store = stack.use(openTokenStore(pathsOf(dir).tokens, options));
  const authenticator = createAuthenticator({ store, ...options, serverKey: serverKey.publicKey });
  const handler = createHandler({
    cache: engine.cache,
    memory: engine.cache,
    maintenance: engine.maintenance,
    insight: engine.insight,
    pinning: engine.pinning,
    room: async () => {
      const { namespaces, pinned } = await engine.stats() as unknown as RoomFacts;
      return { namespaces, pinned };
    },
    tokens: store,
    policy,
    clock: systemClock,
    counters,
    authenticate: authenticator.authenticate,
    prove: (question) => answerChallenge(serverKey, question),
    allowsHost: allowHosts([]),
    log() {},
    metricsText: () => Promise.resolve("vitte_up 1\n"),
    publicRead: new Set(),
    limits: { maxBlobSize: MAX_BLOB_BYTES, maxSize: 0 },
    version: "test",
    backend: "fs",
    uptimeSeconds: () => 1,
  });
  const lastWeek = { ...systemClock, now: () => systemClock.now() - WEEK_MS };
  using past = openTokenStore(pathsOf(dir).tokens, { ...options, clock: lastWeek });
  const tokens = await makeTokens(store, past);
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => handler(request, { remoteAddr: "127.0.0.1" }),
  );
  stack.defer(() => server.shutdown());
  const { port } = server.addr;
  const owned = stack.move();
  return {
    tokens,
    async send(method, target, question) {
      const ask = () => rawHttp({ port, tokens }, [method, target], question);
      let answer = await ask();
      const again = (method === "GET" || method === "HEAD") && answer.status === 200;
      for (let n = 1; again && n < asks; n++) answer = await ask();
      return answer;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const WEEK_MS = 7 * 86_400_000;

/** `past` is the same store a week ago: only there a token can be made that has expired by now. */
async function makeTokens(admin: TokenAdmin, past: TokenAdmin): Promise<HttpTokens> {
  const make = async (name: string, verbs: readonly Verb[], more: Partial<TokenRights> = {}) => {
    const rights = { namespaces: ["default"], scope: "main", readScopes: ["main"], ...more };
    return (await admin.create(name, { verbs, expires: undefined, ...rights })).token;
  };
  const own: readonly Verb[] = ["read", "write", "invalidate"];
  const ended = await past.create("ended", {
    verbs: ["read", "write"],
    namespaces: ["default"],
    scope: "main",
    readScopes: ["main"],
    expires: systemClock.now() - WEEK_MS / 2,
  });
  const revoked = await make("revoked", ["read", "write"]);
  await admin.revoke("revoked");
  return {
    expired: ended.token,
    revoked,
    admin: await make("boss", ["admin"], { namespaces: ["*"] }),
    writer: await make("writer", ["read", "write"]),
    reader: await make("reader", ["read"]),
    a: await make("a", own, { namespaces: ["team-a"] }),
    b: await make("b", own, { namespaces: ["team-b"] }),
    branch: await make("branch", own, { scope: "pr/1", readScopes: ["pr/1", "main"] }),
  };
}
