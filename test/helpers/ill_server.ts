/** Servers that are ill in one way each, for real build tools. */
import { CacheError } from "../../core/errors.ts";
import type { Tool } from "../../core/tools.ts";
import type { Trouble } from "../../core/trouble.ts";
import { createHandlerFixture, REMOTE, TOKENS } from "./http_fixture.ts";

/** What is wrong with a server. */
export interface Illness {
  readonly trouble: Trouble;
  /** Operations of the cache that fail; the others work. Default: none. */
  readonly fails?: RegExp;
  /** Bytes of the largest blob. */
  readonly maxBlobSize?: number;
  /** The token that the build has. Default: a good one. */
  readonly token?: string;
}

/** Every illness by its name. */
export const ILL: Readonly<Record<string, Illness>> = {
  "a full disk": { trouble: "quota_exceeded", fails: /put/ },
  "a disk that does not answer": { trouble: "unavailable", fails: /./ },
  "too much to do": { trouble: "rate_limited", fails: /./ },
  "damage": { trouble: "corrupt", fails: /find|get|body/ },
  "a limit that is too small": { trouble: "too_large", maxBlobSize: 1 },
  "a token that has expired": { trouble: "token_expired", token: TOKENS.expired },
  "a token that was revoked": { trouble: "token_revoked", token: TOKENS.revoked },
};

/** Where a build finds its cache. */
export interface BuildCache {
  readonly url: string;
  readonly token: string;
  /** Whether it is an administrator's token, with which `setup` makes one for the build. */
  readonly admin?: boolean;
  /**
   * Words in front of the tool's own, such as those of `with`: then address and token come from
   * there, and the two above are not used.
   */
  readonly under?: readonly string[];
  /** A shell command that the build runs in the middle of its task. */
  readonly meanwhile?: string;
}

/** A running server. Disposing it stops it. */
export interface IllServer extends BuildCache, AsyncDisposable {
  /** What it hid from this tool, and how often. */
  hidden(tool: Tool): Partial<Record<Trouble, number>>;
  /** Requests so far. */
  requests(): number;
}

/** Starts a server that is ill so. */
export function startIllServer(illness: Illness): IllServer {
  const { fails, maxBlobSize = 1024 ** 3, token = TOKENS.writer, trouble } = illness;
  const fixture = createHandlerFixture({ limits: { maxBlobSize, maxSize: 0 } });
  fixture.cache.fault = (operation) =>
    fails?.test(operation)
      // A trouble with a word of its own is never a fault of the cache.
      ? new CacheError(trouble as "unavailable", `Cannot ${operation}: it is ill`)
      : undefined;
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => fixture.handler(request, REMOTE),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    token,
    hidden: (tool) => fixture.counters.masked()[tool] ?? {},
    requests: () => fixture.counters.get("requests"),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
