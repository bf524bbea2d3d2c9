/** One request to the server and what came of it: time-outs, retries, errors, and nothing leaks. */
import { onAbort } from "../core/abort.ts";
import type { ByteSource } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { CacheError, isKind, toCacheError } from "../core/errors.ts";
import { CLIENT_ATTEMPTS } from "../core/limits.ts";
import type { Secret } from "../core/secret.ts";
import { failureOf } from "./failure.ts";
import { IdleWatch } from "./idle_watch.ts";
import { WatchedReply } from "./reply.ts";
import type { HttpReply } from "./reply.ts";
import { withRetry } from "./retry.ts";
import { sendableSource } from "./sendable_source.ts";
import type { SendableOptions, SendableSource } from "./sendable_source.ts";
import type { ServerUrl } from "./server_url.ts";
import type { SizedUploads } from "./sized_upload.ts";
import { openUpload } from "./upload_body.ts";
import type { UploadBody } from "./upload_body.ts";

/** Where and how requests go. */
export interface HttpOptions {
  readonly url: ServerUrl;
  readonly token: Secret<string> | undefined;
  readonly fetch: typeof fetch;
  /** Sends streams of known size. `undefined`: `fetch` does, without their length. */
  readonly uploads: SizedUploads | undefined;
  /** Folder for what must be kept on disk to be sent. Default: the system's for temporary files. */
  readonly spoolDir: string | undefined;
  readonly clock: Clock;
  /** Milliseconds without a byte in either direction. */
  readonly idleMs: number;
  /** Runs before the first request that carries the token. */
  readonly beforeToken?: (() => Promise<void>) | undefined;
}

/** What is asked. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** With its query, beginning with a slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: ByteSource;
  /** Whether doing it twice is doing it once. A body must be replayable too. */
  readonly idempotent: boolean;
  /** Statuses besides 2xx that are answers and no errors. */
  readonly accept?: readonly number[];
  /** Default true. */
  readonly withToken?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests. */
export class HttpClient {
  readonly #options: HttpOptions;
  #checked: Promise<void> | undefined;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  get url(): ServerUrl {
    return this.#options.url;
  }

  /** As {@linkcode sendableSource}, in this client's folder. The caller disposes it. */
  async sendable(
    source: ByteSource,
    options: Omit<SendableOptions, "spoolDir">,
  ): Promise<SendableSource> {
    try {
      return await sendableSource(source, { ...options, spoolDir: this.#options.spoolDir });
    } catch (thrown) {
      if (options.signal?.aborted) throw options.signal.reason;
      throw toCacheError(thrown, "client.upload");
    }
  }

  /**
   * Sends a request, again if that can help, and gives back a success.
   * @throws {CacheError} as the server said, `unavailable` when it can not be reached, `timeout`
   * when nothing moved; aborting rejects with the signal's reason and ends the connection
   */
  async send(request: HttpRequest): Promise<HttpReply> {
    return await this.call(request, (reply) => Promise.resolve(reply));
  }

  /** As {@linkcode send}, with `read` inside of what is tried again. It owns the reply. */
  async call<T>(request: HttpRequest, read: (reply: HttpReply) => Promise<T>): Promise<T> {
    request.signal?.throwIfAborted();
    const { clock } = this.#options;
    const again = canRepeat(request);
    return await withRetry(async () => {
      if (request.withToken !== false) await this.#beforeToken();
      return await read(await this.#once(request));
    }, { clock, attempts: again ? CLIENT_ATTEMPTS : 1, signal: request.signal });
  }

  /** As {@linkcode send}, for an answer that is JSON. */
  async askJson(request: HttpRequest): Promise<unknown> {
    const headers = { accept: "application/json", ...request.headers };
    return await this.call({ ...request, headers }, (reply) => reply.readJson());
  }

  async #beforeToken(): Promise<void> {
    const { beforeToken } = this.#options;
    if (!beforeToken) return;
    this.#checked ??= beforeToken();
    try {
      await this.#checked;
    } catch (thrown) {
      // The next request asks again: the server may have been away.
      this.#checked = undefined;
      throw thrown;
    }
  }

  async #once(request: HttpRequest): Promise<HttpReply> {
    const { clock, idleMs } = this.#options;
    const abort = new AbortController();
    const watch = new IdleWatch({ clock, idleMs, onIdle: (error) => abort.abort(error) });
    const listener = onAbort(request.signal, () => abort.abort(request.signal!.reason));
    const end = () => {
      watch[Symbol.dispose]();
      listener[Symbol.dispose]();
    };
    let upload: UploadBody | undefined;
    try {
      if (request.body) {
        const onProgress = () => watch.touch();
        upload = openUpload(request.body, { onProgress, signal: abort.signal });
      }
      const response = await this.#fetch(request, upload, abort.signal);
      watch.touch();
      await upload?.[Symbol.asyncDispose]();
      const reply = new WatchedReply(response, { watch, abort, end });
      if (response.ok || request.accept?.includes(response.status)) return reply;
      const { url: { base }, token } = this.#options;
      throw await failureOf(reply, { base, token, method: request.method, path: request.path });
    } catch (thrown) {
      end();
      await upload?.[Symbol.asyncDispose]();
      if (request.signal?.aborted) throw request.signal.reason;
      if (abort.signal.aborted && isKind(abort.signal.reason, "timeout")) throw abort.signal.reason;
      if (upload?.failure !== undefined) throw toCacheError(upload.failure, "client.upload");
      throw thrown;
    }
  }

  async #fetch(
    request: HttpRequest,
    upload: UploadBody | undefined,
    signal: AbortSignal,
  ): Promise<Response> {
    const { url, token, uploads } = this.#options;
    // Compression in transit would hide how long the body is.
    const headers = new Headers({ "accept-encoding": "identity", ...request.headers });
    if (token && request.withToken !== false) {
      headers.set("authorization", `Bearer ${token.reveal()}`);
    }
    const { method, path, body: { size } = {} } = request;
    const body = upload?.body;
    try {
      if (uploads && body instanceof ReadableStream && size !== undefined) {
        const reuse = canRepeat(request);
        return await uploads.send(url.base + path, { method, headers, body, size, reuse, signal });
      }
      const init: RequestInit & { duplex?: "half" } = {
        method,
        headers,
        signal,
        redirect: "manual",
        ...(body ? { body, duplex: "half" } : {}),
      };
      return await this.#options.fetch(url.base + path, init);
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      if (thrown instanceof CacheError) throw thrown;
      throw new CacheError("unavailable", `Cannot reach the server at ${url.base}`, {
        operation: "client.fetch",
        cause: thrown,
      });
    }
  }
}

function canRepeat({ idempotent, body }: HttpRequest): boolean {
  return idempotent && (body?.replayable ?? true);
}
