/** Servers for the HTTP suite: the bare handler, and the handler on a real port. */
import type { Authentication } from "../../auth/authenticate.ts";
import type { Maintenance } from "../../core/cache.ts";
import { systemClock } from "../../core/clock.ts";
import type { Clock } from "../../core/clock.ts";
import { Counters } from "../../core/counters.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_BLOB_BYTES } from "../../core/limits.ts";
import type { Principal, Verb } from "../../core/policy.ts";
import type { TokenAdmin } from "../../core/token_admin.ts";
import { policy } from "../../policy/decide.ts";
import type { AccessEvent, Handler, ServerDeps } from "../../server/deps.ts";
import { createHandler } from "../../server/handler.ts";
import { allowHosts } from "../../server/middleware/host.ts";
import type { HttpAnswer, HttpFixture, HttpQuestion, HttpTokens } from "../suites/http_api.ts";
import { memoryInsight } from "./memory_insight.ts";
import { memoryPins, NO_ROOM_FACTS, NO_SHARES } from "./memory_pins.ts";
import { createMemoryCache } from "./memory_cache.ts";
import type { MemoryCache } from "./memory_cache.ts";
import { rawHttp } from "./raw_request.ts";

/** A handler over a cache in memory, with everything behind it to look at. */
export interface HandlerFixture extends HttpFixture {
  readonly handler: Handler;
  readonly cache: MemoryCache;
  readonly counters: Counters;
  readonly events: AccessEvent[];
}

/** What a test may set. */
export interface FixtureOptions extends Partial<ServerDeps> {
  readonly clock?: Clock;
  /** Bodies above this come as streams. */
  readonly smallBytes?: number;
}

const rw: readonly Verb[] = ["read", "write"];
const own: readonly Verb[] = ["read", "write", "invalidate"];
const PRINCIPALS: Readonly<Record<string, Principal>> = {
  "t-admin": person("admin", ["admin"], { namespaces: ["*"] }),
  "t-writer": person("writer", rw),
  "t-reader": person("reader", ["read"]),
  "t-a": person("a", own, { namespaces: ["team-a"] }),
  "t-b": person("b", own, { namespaces: ["team-b"] }),
  "t-branch": person("branch", own, { scope: "pr/1", readScopes: ["pr/1", "main"] }),
  "t-metrics": person("metrics", ["metrics"]),
};
/** The texts of the fixture's tokens. */
export const TOKENS: HttpTokens = {
  admin: "t-admin",
  writer: "t-writer",
  reader: "t-reader",
  a: "t-a",
  b: "t-b",
  branch: "t-branch",
  expired: "t-expired",
  revoked: "t-revoked",
};

function person(name: string, verbs: readonly Verb[], more: Partial<Principal> = {}): Principal {
  return {
    id: "0123456789abcdef",
    name,
    verbs,
    namespaces: ["default"],
    scope: "main",
    readScopes: ["main"],
    expires: undefined,
    ...more,
  };
}

function authenticate(authorization: string | null): Authentication {
  if (authorization === null) return { failure: "missing" };
  const [, scheme, value = ""] = /^(Bearer|Basic) ([\w+/=-]+)$/.exec(authorization) ?? [];
  const token = scheme === "Basic" ? atob(value).split(":")[1] : scheme && value;
  if (token === undefined) return { failure: "malformed" };
  if (token === "t-expired") return { failure: "expired", id: "0", name: "old" };
  if (token === "t-revoked") return { failure: "revoked", id: "0", name: "gone" };
  const principal = PRINCIPALS[token];
  return principal ? { principal } : { failure: "unknown" };
}

/** A handler over memory. */
export function createHandlerFixture(options: FixtureOptions = {}): HandlerFixture {
  const { smallBytes, ...overrides } = options;
  const cache = createMemoryCache(smallBytes);
  const counters = new Counters();
  const events: AccessEvent[] = [];
  const handler = createHandler({
    cache,
    maintenance,
    insight: memoryInsight(cache),
    pinning: memoryPins(cache),
    room: async () => NO_ROOM_FACTS,
    tokens: memoryTokens(),
    policy,
    clock: systemClock,
    counters,
    authenticate,
    prove: ({ host }) => ({ server_key: "key", host, proof: "proof" }),
    allowsHost: allowHosts(["cache.example"]),
    log: (event) => void events.push(event),
    metricsText: () => Promise.resolve("vitte_up 1\n"),
    publicRead: new Set(),
    limits: { maxBlobSize: MAX_BLOB_BYTES, maxSize: 0 },
    version: "0.0.0-test",
    backend: "memory",
    uptimeSeconds: () => 1,
    ...overrides,
  });
  return {
    handler,
    cache,
    counters,
    events,
    tokens: TOKENS,
    async send(method, target, question) {
      return await readAnswer(await handler(request(method, target, question), REMOTE));
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Where all requests of tests come from. */
export const REMOTE = { remoteAddr: "127.0.0.1" };

/** A Request whose URL is not normalised, as the listener hands it over. */
export function request(method: string, target: string, question: HttpQuestion = {}): Request {
  const { host = "127.0.0.1", ...headers }: Record<string, string> = { ...question.headers };
  const init: RequestInit & { duplex?: "half" } = { method };
  const made = new Headers(headers);
  const as = question.as === undefined ? "writer" : question.as;
  if (as !== null && !made.has("authorization")) {
    made.set("authorization", `Bearer ${TOKENS[as]}`);
  }
  if (question.body !== undefined) {
    const bytes = typeof question.body === "string"
      ? new TextEncoder().encode(question.body)
      : question.body;
    init.body = question.chunked ? new Blob([bytes]).stream() : bytes;
    init.duplex = "half";
    if (!question.chunked && !made.has("content-length")) {
      made.set("content-length", `${bytes.length}`);
    }
  }
  if (!question.headers?.["content-type"]) made.delete("content-type");
  const result = new Request("http://placeholder/", { ...init, headers: made });
  if (!question.headers?.["content-type"]) result.headers.delete("content-type");
  Object.defineProperty(result, "url", { value: `http://${host}${target}` });
  return result;
}

async function readAnswer(response: Response): Promise<HttpAnswer> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const { status, headers } = response;
  return { status, headers, bytes, text: new TextDecoder().decode(bytes) };
}

/** The same handler behind `Deno.serve`, asked over a socket. */
export function createPortFixture(options: FixtureOptions = {}): HttpFixture {
  const inner = createHandlerFixture(options);
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (incoming) => inner.handler(incoming, REMOTE),
  );
  const { port } = server.addr;
  return {
    tokens: TOKENS,
    send: (method, target, question) =>
      rawHttp({ port, tokens: TOKENS }, [method, target], question),
    async [Symbol.asyncDispose]() {
      await server.shutdown();
    },
  };
}

const maintenance: Maintenance = {
  verify: (options) =>
    Promise.resolve({
      segments: 1,
      records: 1,
      bytes: 1,
      entries: 1,
      quarantined: 0,
      lost: 0,
      broken_entries: 0,
      audit_rows: 0,
      audit_damaged: 0,
      repaired: options?.repair ? 1 : 0,
      lost_blobs: [],
      problems: [],
    }),
  gc: ({ dryRun = false } = {}) =>
    Promise.resolve({
      dry_run: dryRun,
      segments_removed: 0,
      records_removed: 0,
      record_bytes: 0,
      bytes_freed: 0,
      packs: [],
      next: [],
      ...NO_SHARES,
    }),
};

function memoryTokens(): TokenAdmin {
  const made = new Map<string, Awaited<ReturnType<TokenAdmin["create"]>>>();
  const known = (name: string) => {
    const token = made.get(name);
    if (!token) throw new CacheError("not_found", `Cannot find token "${name}"`);
    return token;
  };
  return {
    create(name, rights) {
      if (made.has(name)) throw new CacheError("conflict", `Cannot create token "${name}"`);
      const facts = { id: "0".repeat(16), kind: "issued" as const, created: 1 };
      const info = { ...rights, ...facts, name, revoked: undefined, lastUsed: undefined };
      made.set(name, { token: `secret-of-${name}`, info });
      return Promise.resolve(known(name));
    },
    list: () => Promise.resolve([...made.values()].map(({ info }) => info)),
    async revoke(name) {
      return { ...known(name).info, revoked: 2 };
    },
    async rotate(name) {
      return { ...known(name), token: `new-secret-of-${name}` };
    },
  };
}
