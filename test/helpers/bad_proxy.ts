/** A reverse proxy that does to requests and answers what badly set up ones do. */
import http from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What it does wrong; nothing by default. */
export interface Faults {
  /** 413 for bodies that announce more bytes than this. */
  readonly maxBody?: number;
  /** Hands answers on without their length. */
  readonly dropLength?: boolean;
  /** Sends requests on chunked, whatever they were. */
  readonly dropRequestLength?: boolean;
  /** Takes the Upgrade header off. */
  readonly dropUpgrade?: boolean;
  /** Milliseconds by which the Date of answers is off. */
  readonly skewMs?: number;
  /** Puts its own idea of the Host in place. */
  readonly host?: string;
  /** Bytes of an answer after which it hangs up. */
  readonly cutAnswerAfter?: number;
}

/** A running proxy. */
export interface BadProxy extends AsyncDisposable {
  readonly url: string;
}

/** Starts one in front of `upstream`, on a free port of this machine. */
export async function startBadProxy(upstream: string, faults: Faults): Promise<BadProxy> {
  const agent = new http.Agent({ keepAlive: false });
  const server = http.createServer((request, answer) =>
    pass({ upstream, faults, agent }, request, answer)
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      agent.destroy();
      await closed.promise;
    },
  };
}

interface Setup {
  readonly upstream: string;
  readonly faults: Faults;
  readonly agent: http.Agent;
}

function pass(setup: Setup, request: IncomingMessage, answer: ServerResponse): void {
  const { upstream, faults, agent } = setup;
  const { maxBody, dropUpgrade, dropRequestLength, host } = faults;
  const length = Number(request.headers["content-length"] ?? 0);
  if (maxBody !== undefined && length > maxBody) {
    answer.writeHead(413, { server: "proxy", "content-type": "text/html", connection: "close" });
    answer.end("<h1>413 Request Entity Too Large</h1>");
    return;
  }
  const headers = { ...request.headers };
  if (dropUpgrade) { for (const name of ["upgrade", "connection"]) delete headers[name]; }
  if (dropRequestLength) delete headers["content-length"];
  if (host !== undefined) headers.host = host;
  const onward = http.request(upstream + (request.url ?? "/"), {
    method: request.method ?? "GET",
    headers,
    agent,
  });
  onward.on("response", (reply) => hand(reply, { faults, answer }));
  onward.on("error", () => answer.destroy());
  request.on("error", () => onward.destroy());
  request.pipe(onward);
}

function hand(
  reply: IncomingMessage,
  { faults, answer }: { faults: Faults; answer: ServerResponse },
): void {
  const { dropLength, skewMs, cutAnswerAfter } = faults;
  const headers = { ...reply.headers };
  if (dropLength) delete headers["content-length"];
  if (skewMs !== undefined) headers.date = new Date(Date.now() + skewMs).toUTCString();
  answer.writeHead(reply.statusCode ?? 502, headers);
  let bytes = 0;
  reply.on("data", (part: Uint8Array) => {
    bytes += part.length;
    if (cutAnswerAfter !== undefined && bytes > cutAnswerAfter) answer.destroy();
  });
  reply.on("error", () => answer.destroy());
  reply.pipe(answer);
}
