/** One exchange with the server on behalf of a build tool: passed on by streams, and never for long. */
import { onAbort } from "../../core/abort.ts";
import type { ByteStream } from "../../core/bytes.ts";
import type { Clock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { CacheError } from "../../core/errors.ts";
import { RELAY_UPLOAD_WAIT_MS, RELAY_WAIT_MS } from "../../core/build_limits.ts";
import type { Secret } from "../../core/secret.ts";
import { SizedUploads } from "../../client/sized_upload.ts";
import type { ParsedPath } from "../../protocol/path.ts";
import { HEADERS } from "../../protocol/url_space.ts";
import { AnswerBody } from "./answer_body.ts";
import { answerHeaders, requestHeaders } from "./headers.ts";
import { Patience } from "./patience.ts";
import { RequestBody } from "./request_body.ts";

/** What an {@linkcode Upstream} is made of. */
export interface UpstreamOptions {
  /** The server's address without a slash at its end. */
  readonly base: string;
  readonly token: Secret<string>;
  readonly clock: Clock;
  readonly proxyEnv: Readonly<Record<string, string>>;
}

/** A request that may go to the server. */
export interface Forwarded {
  readonly request: Request;
  /** Path and query, as they came. */
  readonly target: string;
  readonly path: ParsedPath;
  /** Aborts when the server is given up. */
  readonly given: AbortSignal;
  /** Hears when the body of an answer breaks after the tool had its head. */
  onBroken(error: CacheError): void;
}

/** The server. */
export class Upstream implements Disposable {
  readonly #options: UpstreamOptions;
  readonly #uploads: SizedUploads;
  readonly #client: Deno.HttpClient;

  /** Nothing is sent yet. */
  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#uploads = new SizedUploads(options.proxyEnv);
    this.#client = Deno.createHttpClient({});
  }

  /**
   * Asks the server, and gives back its answer for the tool.
   * @throws {CacheError} `timeout` when it takes too long; `unavailable` when it can not be reached,
   * breaks off, or what answers is not our server; all of the tool's body is read by then
   */
  async forward(forwarded: Forwarded): Promise<Response> {
    const { request, given, onBroken, path } = forwarded;
    const { clock } = this.#options;
    const late = new AbortController();
    const onLate = (error: CacheError) => late.abort(error);
    const body = request.body && new RequestBody(request.body, request.headers);
    const small = await body?.small();
    const long = body && small === undefined;
    const silenceMs = long ? RELAY_UPLOAD_WAIT_MS : RELAY_WAIT_MS;
    const patience = new Patience({ clock, onLate, silenceMs });
    // An upload that still moves is not given up because something else hangs.
    using _listener = onAbort(long ? undefined : given, () => late.abort(given.reason));
    let handedOn = false;
    try {
      const answer = await this.#ask(forwarded, { late: late.signal, patience, body, small });
      await body?.drain();
      const { status } = answer;
      const headers = answerHeaders(answer.headers);
      if (!answer.body) return new Response(null, { status, headers });
      const length = headers.get("content-length");
      const size = length === null ? undefined : Number(length);
      const incoming = new AnswerBody(answer.body, { size, patience, late: late.signal });
      if (incoming.small) return new Response(await incoming.whole(), { status, headers });
      const { mustBeWhole } = await import("./miss.ts");
      if (mustBeWhole(path, request.headers)) {
        const spooled = await incoming.spooled();
        headers.set("content-length", `${spooled.size}`);
        return new Response(spooled.stream, { status, headers });
      }
      handedOn = true;
      const stream = incoming.stream((error) => {
        patience[Symbol.dispose]();
        if (error) onBroken(error);
      });
      return new Response(stream, { status, headers });
    } catch (thrown) {
      await body?.drain();
      throw thrown;
    } finally {
      if (!handedOn) patience[Symbol.dispose]();
    }
  }

  /** Whether the server answers; asks what needs no token. Does not reject. */
  async probe(signal: AbortSignal): Promise<boolean> {
    const { base, clock } = this.#options;
    const late = new AbortController();
    const onLate = (error: CacheError) => late.abort(error);
    using patience = new Patience({ clock, onLate });
    using _listener = onAbort(signal, () => late.abort(signal.reason));
    patience.wait();
    try {
      const answer = await fetch(`${base}/healthz`, this.#init({ signal: late.signal }));
      await answer.body?.cancel();
      return answer.ok && answer.headers.has(HEADERS.requestId);
    } catch {
      return false; // why it is still away, nobody asks
    }
  }

  /** Ends its connections. */
  [Symbol.dispose](): void {
    this.#client.close();
    this.#uploads[Symbol.dispose]();
  }

  async #ask(
    { request, target }: Forwarded,
    { late, patience, body, small }: {
      readonly late: AbortSignal;
      readonly patience: Patience;
      readonly body: RequestBody | null;
      readonly small: Bytes | undefined;
    },
  ): Promise<Response> {
    const { base, token } = this.#options;
    const { method } = request;
    const headers = requestHeaders(request.headers, token);
    const url = base + target;
    const stream: ByteStream | undefined = body && !small ? body.stream(patience) : undefined;
    patience.wait();
    let answer: Response;
    try {
      const size = body?.size;
      answer = stream && size !== undefined
        ? await this.#uploads.send(url, {
          method,
          headers,
          body: stream,
          size,
          reuse: false,
          signal: late,
        })
        : await fetch(
          url,
          this.#init({ method, headers, body: small ?? stream ?? null, signal: late }),
        );
    } catch (thrown) {
      if (late.aborted) throw late.reason;
      throw new CacheError("unavailable", "Cannot reach the cache", {
        operation: "client.relay",
        cause: thrown,
      });
    }
    patience.moved();
    if (answer.headers.has(HEADERS.requestId)) return answer;
    // A proxy or a log-in page on the way: its words are nothing that a build tool should hear.
    await answer.body?.cancel();
    throw foreign(answer.status);
  }

  #init(init: RequestInit): RequestInit & { client: Deno.HttpClient; duplex?: "half" } {
    const half = init.body instanceof ReadableStream ? { duplex: "half" as const } : {};
    return { ...init, ...half, redirect: "manual", client: this.#client };
  }
}

function foreign(status: number): CacheError {
  const kind: ErrorKind = status === 413
    ? "too_large"
    : status === 429
    ? "rate_limited"
    : "corrupt";
  return new CacheError(kind, `Cannot use the answer: status ${status} is not from the cache`, {
    operation: "client.relay",
    context: { status },
  });
}
