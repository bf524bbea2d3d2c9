/**
 * Sends large bodies with their length. `fetch` sends every stream chunked, even one whose length
 * is known; a length lets a server refuse before it reads, and read without cutting chunks apart.
 */
import http from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import https from "node:https";
import { onAbort } from "../core/abort.ts";
import type { ByteStream } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { RuntimeTlsAgent } from "./tls_socket.ts";

/** One upload. */
export interface SizedUpload {
  readonly method: string;
  readonly headers: Headers;
  /**
   * Exactly `size` bytes, or it must fail. Stays its owner's, who cancels it when the answer is
   * here: that may be before the end.
   */
  readonly body: ByteStream;
  readonly size: number;
  /** Whether a connection that the server may just have closed can be used: if there are retries. */
  readonly reuse: boolean;
  /** Aborting ends the connection, also while the answer is read. */
  readonly signal: AbortSignal;
}

/** Sends uploads over connections of its own. */
export class SizedUploads implements Disposable {
  readonly #proxyEnv: Readonly<Record<string, string>>;
  readonly #agents = new Map<string, http.Agent>();

  /** `proxyEnv`: variables that name proxies, as `HTTPS_PROXY` and `NO_PROXY`. Default: none. */
  constructor(proxyEnv: Readonly<Record<string, string>> = {}) {
    this.#proxyEnv = proxyEnv;
  }

  /**
   * Sends an upload and gives back the answer as `fetch` does, with `redirect: "manual"`. An answer
   * before the end ends the upload. The body of the answer must be read or cancelled.
   */
  async send(url: string, upload: SizedUpload): Promise<Response> {
    const { method, headers, size, signal, reuse } = upload;
    const { request: ask } = url.startsWith("https:") ? https : http;
    const request = ask(url, {
      method,
      headers: { ...Object.fromEntries(headers), "content-length": String(size) },
      agent: this.#agent(url, reuse),
    });
    const listener = onAbort(signal, () => request.destroy(asError(signal.reason)));
    // Nobody listens to a connection any more that breaks when all is done.
    request.once("close", () => listener[Symbol.dispose]());
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request.once("response", resolve);
    request.on("error", reject);
    request.once("close", () => reject(new Error("the connection was closed without an answer")));
    void pump(request, upload.body);
    return responseOf(await promise, request);
  }

  /** Closes the connections; what is under way breaks. */
  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  #agent(url: string, keepAlive: boolean): http.Agent {
    const secure = url.startsWith("https:");
    const name = secure ? "https" : `http ${keepAlive}`;
    const agent = this.#agents.get(name) ??
      (secure ? this.#secureAgent() : new http.Agent(this.#options(keepAlive)));
    this.#agents.set(name, agent);
    return agent;
  }

  #secureAgent(): https.Agent {
    const { HTTPS_PROXY, https_proxy = HTTPS_PROXY } = this.#proxyEnv;
    // Only Node's own agent knows how to go through a proxy.
    return https_proxy ? new https.Agent(this.#options(false)) : new RuntimeTlsAgent();
  }

  #options(keepAlive: boolean): http.AgentOptions {
    const options: http.AgentOptions & { proxyEnv: unknown } = {
      keepAlive,
      proxyEnv: this.#proxyEnv,
    };
    return options;
  }
}

/** Writes the body as fast as the connection takes it. Ends when there is an answer; never rejects. */
async function pump(request: ClientRequest, body: ByteStream): Promise<void> {
  let wake = () => {};
  let stopped = false;
  const stop = () => {
    stopped = true;
    wake();
  };
  request.on("drain", () => wake());
  request.once("response", stop);
  request.once("close", stop);
  const reader = body.getReader();
  try {
    while (!stopped) {
      const { done, value } = await reader.read();
      if (stopped) return;
      if (done) return void request.end();
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      if (!request.write(value)) await promise;
    }
  } catch (thrown) {
    // The answer, if there is one already, is worth more than a source that was told to stop.
    if (!stopped) request.destroy(asError(thrown));
  } finally {
    reader.releaseLock();
  }
}

const NO_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

function responseOf(message: IncomingMessage, request: ClientRequest): Response {
  const status = message.statusCode ?? 0;
  const headers = new Headers();
  try {
    if (status < 200 || status > 599) throw new RangeError(`status ${status}`);
    for (const [name, values] of Object.entries(message.headersDistinct)) {
      for (const value of values ?? []) headers.append(name, value);
    }
  } catch (cause) {
    request.destroy();
    throw new CacheError("corrupt", "Cannot read the answer: its head is none of HTTP", {
      operation: "client.upload",
      cause,
    });
  }
  if (!NO_BODY.has(status)) {
    return new Response(bodyOf(message, request), { status, headers });
  }
  message.resume();
  message.once("end", () => settle(request));
  return new Response(null, { status, headers });
}

function bodyOf(message: IncomingMessage, request: ClientRequest): ByteStream {
  const parts: AsyncIterator<Uint8Array> = message[Symbol.asyncIterator]();
  // A connection that breaks while nobody reads is told to the next read.
  message.on("error", () => {});
  return new ReadableStream<Bytes>({
    async pull(controller) {
      const { done, value } = await parts.next();
      if (!done) return controller.enqueue(new Uint8Array(value));
      settle(request);
      controller.close();
    },
    cancel: () => void request.destroy(),
  }, { highWaterMark: 0 });
}

/** After an early answer, the rest of the body would be owed before the connection could be used. */
function settle(request: ClientRequest): void {
  if (!request.writableFinished) request.destroy();
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error("stopped", { cause: thrown });
}
