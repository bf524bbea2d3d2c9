/** A server on this machine that answers as a test tells it, for the client to survive. */
import assert from "node:assert/strict";
import { connectCache } from "../../client/connect.ts";
import type { ConnectOptions } from "../../client/connect.ts";
import type { RemoteCache } from "../../client/remote_cache.ts";
import { systemClock } from "../../core/clock.ts";
import { digestOf } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { HEADERS, PROBLEM_MEDIA_TYPE } from "../../protocol/url_space.ts";
import { assertNoLeaks } from "./leaks.ts";

/** A token whose secret is easy to look for. */
export const TOKEN = "vrc_0123456789abcdef_" + "A".repeat(43) + "_" + "Q".repeat(43);
/** A small blob, and its digest. */
export const BYTES = new TextEncoder().encode("hello, build");
export const DIGEST = digestOf(BYTES);
/** A blob that travels as a stream. */
export const LARGE = new Uint8Array(3 * 1024 * 1024).map((_, i) => i % 251);
const OURS = { [HEADERS.requestId]: "1" };

/** A server that answers as told, and a client of it. Pauses between tries take no time. */
export async function against(
  answer: (request: Request, tries: number) => Response | Promise<Response>,
  work: (cache: RemoteCache, base: string) => Promise<void>,
  options: Partial<ConnectOptions> = {},
): Promise<number> {
  let tries = 0;
  await assertNoLeaks(async () => {
    const stop = new AbortController();
    const server = Deno.serve({
      port: 0,
      hostname: "127.0.0.1",
      signal: stop.signal,
      onListen() {},
      onError: () => new Response(null, { status: 500 }),
    }, (request) => answer(request, ++tries));
    const base = `http://127.0.0.1:${server.addr.port}`;
    const clock = {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) =>
        systemClock.sleep(ms < 15_000 ? Math.min(ms, 5) : ms, signal),
    };
    try {
      await using cache = connectCache({ url: base, token: TOKEN, clock, ...options });
      await work(cache, base);
    } finally {
      stop.abort();
      await server.finished;
    }
  });
  return tries;
}

/** Expects this kind of error, and no token in it. */
export function rejectsAs(promise: Promise<unknown>, kind: ErrorKind): Promise<void> {
  return assert.rejects(promise, (thrown) => {
    assert.ok(thrown instanceof CacheError, String(thrown));
    assert.equal(thrown.kind, kind, thrown.message);
    const shown = Deno.inspect(thrown, { depth: 9 }) + JSON.stringify(thrown);
    assert.ok(!shown.includes("Q".repeat(43)), "the error shows the token");
    return true;
  });
}

/** A body without an end. */
export const endless = (chunk: Uint8Array<ArrayBuffer>, first = chunk) => {
  let sent = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(sent++ === 0 ? first : chunk),
  });
};
/** An error answer as our server writes it. */
export const problem = (status: number, kind: string, more: Record<string, unknown> = {}) =>
  new Response(JSON.stringify({ detail: `Cannot: ${kind}`, kind, ...more }), {
    status,
    headers: { "content-type": PROBLEM_MEDIA_TYPE, ...OURS },
  });

/** What a {@linkcode turningServer} does to everybody who asks for more than who he is. */
export const TURNS = {
  "status 500": ["HTTP/1.1 500 Oops\r\ncontent-length: 3\r\n\r\nno!"],
  "a log-in page": [
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
  ],
  "garbage": ["\x00\x01\x02 this is no HTTP\r\n\r\n\r\n"],
  "a connection that ends": [],
  "a body that breaks off": [
    `HTTP/1.1 200 OK\r\n${HEADERS.requestId}: 1\r\ncontent-length: 1000\r\n\r\nshort`,
  ],
  "a byte a second": [
    `HTTP/1.1 200 OK\r\n${HEADERS.requestId}: 1\r\ncontent-length: 1000\r\n\r\n`,
    ..."x".repeat(30),
  ],
} as const;

/** A server that is well when it is asked who one is, and hostile from then on. */
export function turningServer(turn: readonly string[]): AsyncDisposable & { readonly url: string } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const who = JSON.stringify({
    id: "0",
    name: "ci",
    verbs: ["read", "write"],
    namespaces: ["*"],
    scope: "main",
    read_scopes: ["main"],
    expires: null,
  });
  const well = `HTTP/1.1 200 OK\r\n${HEADERS.requestId}: 1\r\nconnection: close\r\n` +
    `content-type: application/json\r\ncontent-length: ${who.length}\r\n\r\n${who}`;
  const serve = async (connection: Deno.Conn) => {
    open.add(connection);
    try {
      const buffer = new Uint8Array(65_536);
      const count = await connection.read(buffer);
      const head = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
      for (const part of / \/v1\/whoami /.test(head) ? [well] : turn) {
        await connection.write(new TextEncoder().encode(part));
        if (part.length === 1) await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    } catch {
      // The other end had enough of it.
    }
    if (open.delete(connection)) connection.close();
  };
  const serving: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) serving.push(serve(connection));
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of [...open]) if (open.delete(connection)) connection.close();
      await accepting;
      await Promise.all(serving);
    },
  };
}

/** The system's clock whose short pauses take no time. */
export function noPause() {
  return {
    ...systemClock,
    sleep: (ms: number, signal?: AbortSignal) =>
      systemClock.sleep(ms > 1000 ? ms : Math.min(ms, 15), signal),
  };
}
